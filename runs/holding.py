"""Determines from a run directory whether a run may start there, resume, or must leave it alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .checked_files import DamagedFileError
from .run_directory import RunDirectory
from .settings import is_how, leaves

_MARKS = ("config.yaml", "versions.json", "summary.json", "run.log", "run.lock", ".part-*")
"""Files of a run without results, as patterns."""
_OF_A_FINISHED_RUN = ("curriculum.png", "teacher.png", "teacher.gif", "evaluations/*.csv")
_RESULTS = (
    *("checkpoints", "episodes/part-*.parquet", "episodes/.part-*", "evaluations.csv", "snapshots.jsonl"),
    *("model.zip", "model.txt", "normalization.npz", "vec_normalize.pkl", "competence.npy", ".student-*"),
    *("events.out.tfevents.*", "best", *_OF_A_FINISHED_RUN),
)
"""Patterns of all other files of a run; a matching folder belongs to the run with all its contents."""


class NotOwnDirectoryError(ValueError):
    """A directory holds something that a run must neither resume nor remove."""


@dataclass(frozen=True)
class Holding:
    """What the directory of a run holds.

    Attributes:
        kind: nothing; start (this run, without a state to resume from); checkpoint (a checkpoint of this run,
            which may have finished with a smaller budget); or finished (this run, finished).
        summary: Content of `summary.json`; None if it is missing or unreadable.
    """

    kind: Literal["nothing", "start", "checkpoint", "finished"]
    summary: dict[str, Any] | None = None


def holding(directory: RunDirectory, config: Mapping[str, Any]) -> Holding:
    """Determine what a directory holds. The result stays valid while the directory is locked.

    Args:
        directory: The run directory.
        config: The configuration of the run.

    Raises:
        NotOwnDirectoryError: If it holds another run or something else, a run too damaged to tell whether it
            had finished, or this run in a state from which the budget cannot be reached.
    """
    path, remedy = directory.path, "restore it, remove the directory or choose another"
    results = [file for file in _matching(path, _RESULTS) if _has_content(file)]
    stored, summary = _read_config(directory), last_summary(directory)
    is_foreign = summary is not None and _is_of_another_run(directory)
    if is_foreign:
        summary = None
    if stored is not None:
        _require_equal(path, config, stored)
    elif results:
        fault = "is empty or cannot be read" if directory.config.exists() else "is missing"
        raise NotOwnDirectoryError(
            f"{directory.config} {fault} beside {results[0].relative_to(path)}: {remedy}"
        )
    elif foreign := _foreign(path):
        raise NotOwnDirectoryError(
            f"{path} holds {foreign[0].name} but no run: a run can only start in an empty directory"
        )
    step, wanted = directory.checkpointed_step(), config.get("total_steps", 0)
    if summary is not None and summary.get("status") == "finished":
        if _budget(summary, wanted) >= wanted:
            return Holding("finished", summary)
        if step is None:
            raise NotOwnDirectoryError(
                f"{path} holds this run, finished after {summary['total_steps']:,} steps without its last "
                f"state, so total_steps={wanted} cannot continue it: choose another study= or remove that "
                "directory"
            )
    if step is not None:
        if stored is not None and step >= wanted and _budget(stored, wanted) > wanted:
            raise NotOwnDirectoryError(
                f"{path} holds this run after {step:,} steps of {stored['total_steps']:,}, more than "
                f"total_steps={wanted}: give a larger total_steps or choose another study="
            )
        return Holding("checkpoint", summary)
    if summary is None and results:
        fault = "is of another run" if is_foreign else "cannot be read"
        fault = fault if directory.summary.exists() else "is missing"
        raise NotOwnDirectoryError(f"{directory.summary} {fault}, so the run may be finished: {remedy}")
    return Holding("nothing" if stored is None and summary is None else "start", summary)


def _budget(of: Mapping[str, Any], unknown: int) -> int:
    """The budget in a configuration or a summary."""
    total = of.get("total_steps")
    return total if isinstance(total, int) else unknown


def remove_drawn(directory: RunDirectory) -> None:
    """Remove pictures and evaluations of a finished run, which are outdated once it is continued."""
    for file in _matching(directory.path, _OF_A_FINISHED_RUN):
        file.unlink()


def remove_results(directory: RunDirectory) -> None:
    """Remove the results of an earlier attempt at a run, but not the files that identify it."""
    for file in [*_matching(directory.path, (*_RESULTS, ".part-*")), directory.log]:
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)
    for folder in (directory.episodes, directory.reevaluations):
        with suppress(OSError):  # it contains a file that is not the run's
            folder.rmdir()


def _matching(path: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [file for pattern in patterns for file in sorted(path.glob(pattern))]


def _has_content(file: Path) -> bool:
    return any(file.iterdir()) if file.is_dir() else file.lstat().st_size > 0


def _foreign(path: Path) -> list[Path]:
    """Files in a directory without results that do not belong to a run."""
    own = {path / Path(pattern).parts[0] for pattern in _RESULTS} | set(_matching(path, (*_MARKS, *_RESULTS)))
    return sorted(set(path.iterdir()) - own) if path.exists() else []


def _read_config(directory: RunDirectory) -> Mapping[str, Any] | None:
    try:
        config = directory.read_config()
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return config if isinstance(config, Mapping) and config else None


def last_summary(directory: RunDirectory) -> dict[str, Any] | None:
    """The last summary of a run; None if it is missing or unreadable."""
    try:
        summary = directory.read_summary()
    except (OSError, ValueError):
        return None
    return summary if isinstance(summary, dict) else None


def _is_of_another_run(directory: RunDirectory) -> bool:
    """Whether the summary is that of a finished run with another configuration."""
    if _is_unchanged(directory, directory.config):
        return False
    # The configuration of this run may have been edited, but not its results.
    return not _is_unchanged(directory, directory.evaluations)


def _is_unchanged(directory: RunDirectory, file: Path) -> bool:
    try:
        directory.require_unchanged(file)
    except DamagedFileError:
        return False
    return True


def _require_equal(path: Path, config: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    # Round-tripped like the file, so that tuples become lists, for example.
    written = yaml.safe_load(yaml.safe_dump(dict(config)))
    mine, theirs = (dict(leaves(each)) for each in (written, stored))
    differing = sorted(key for key in mine | theirs if mine.get(key) != theirs.get(key) and not is_how(key))
    if differing:
        listed = ", ".join(f"{key}={mine.get(key)} (there: {theirs.get(key)})" for key in differing)
        raise NotOwnDirectoryError(
            f"{path} holds a run of another configuration, which differs in {listed}; "
            "choose another study= or remove that directory"
        )

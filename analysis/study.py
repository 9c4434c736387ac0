"""The runs of a study, read from their directories: what ran, how it ended, and its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..envs.task_space import RESERVED_NAMES
from ..runs.checked_files import DamagedFileError, reason_of
from ..runs.printable import printable
from ..runs.run_directory import RunDirectory, mastery_in, units_in
from ..runs.settings import leaves
from .run_folders import runs_in

COMPONENTS = ("env", "teacher", "student")

_FINISHED = "finished"
_LONGEST_NAME = 200


class LeftOut(str):
    """A sentence about a finished run, or part of one, that is left out because its files have changed."""

    __slots__ = ()


@dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
        directory: The run directory.
        study: Name of its study: given by the caller, or else by its configuration.
        config: Its configuration: the value of each leaf by its dotted key, lists as JSON.
        names: Names of its env, teacher and student in the configuration.
        seed: Its seed.
        steps: Training steps completed.
        total_steps: Training steps planned.
        problem: Why it cannot be counted, or None.
        is_finished: Whether its summary says that it has finished.
        evaluations: Its `evaluations.csv`, also of an unfinished run; None if it cannot be used.
        mastery: Percentage mastered by step; empty if the run cannot be counted.
        last: One row per test task of its last evaluation, in the order of the tasks, with the columns of
            `evaluations.csv`; None for a simulated student.
        units: Units of the task parameters, by column; parameters without one are absent, as are all of
            older runs.
        competence: Final competence of a simulated student, in [0, 1], with one axis per task parameter;
            None if it has none.
        versions: Python, platform and packages it ran on, in one line; None if not recorded.
        faults: Warnings about files of the run that could not be used; the run itself still counts.
    """

    directory: RunDirectory
    config: Mapping[str, Any]
    names: Mapping[str, str]
    seed: int
    steps: int
    total_steps: int
    study: str = ""
    problem: str | None = None
    is_finished: bool = True
    evaluations: pd.DataFrame | None = None
    mastery: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=np.float64))
    last: pd.DataFrame | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    competence: NDArray[np.float64] | None = None
    versions: str | None = None
    faults: tuple[LeftOut, ...] = ()

    @property
    def score(self) -> float:
        """Final percentage mastered."""
        return float(self.mastery.iloc[-1])

    @property
    def is_simulated(self) -> bool:
        """Whether its student is simulated, and so has its own env."""
        return self.config.get("env._target_") is None


def read_study(*folders: Path | str, **named: Path | str) -> tuple[list[StudyRun], list[str]]:
    """Read all runs in the given folders and their subfolders.

    Args:
        folders: Run directories, or folders that contain some.
        named: The same, with a name for the study: in `new="results/a"`, the study is called `new`.

    Returns:
        The runs, in the order of their paths, and a sentence about each folder that is no run and contains
        none; a `LeftOut` if the folder should be a run.
    """
    runs: dict[Path, StudyRun] = {}
    notes: list[str] = []
    for study, folder in [*((None, folder) for folder in folders), *named.items()]:
        found = sorted(set(runs_in(Path(folder))))
        if not found:
            notes.append(f"{folder} is not a run and contains none")
        for path in found:
            if path.resolve() in runs:
                continue
            try:
                run = read_run(path)
                runs[path.resolve()] = run if study is None else replace(run, study=study)
            except _FailedAtTheStartError as error:
                notes.append(f"{path} is not a run: {error}")
            except ValueError as error:
                notes.append(LeftOut(f"{path} is not a run: {error}"))
    return list(runs.values()), notes


class _FailedAtTheStartError(ValueError):
    """A folder of a run that failed before its configuration was written."""


def read_run(path: Path) -> StudyRun:
    """Read one run.

    Args:
        path: Its directory.

    Raises:
        ValueError: If the files there do not say what ran.
    """
    directory = RunDirectory(path)
    try:
        directory.require_unchanged(directory.config)
        config, summary = directory.read_config(), directory.read_summary()
    except DamagedFileError as error:
        raise ValueError(f"its files cannot be used ({error})") from error
    if config is None and summary is not None and summary.get("status") == "failed":
        raise _FailedAtTheStartError(f"it failed before it began: {printable(summary.get('error'))}")
    if config is None or summary is None:
        missing = directory.config if config is None else directory.summary
        raise ValueError(f"it has no {missing.name}")
    run = _as_told(directory, config, summary)
    status = summary.get("status")
    if status != _FINISHED:
        log = f", see {directory.log}" if directory.log.exists() else ""
        so_far = f"{printable(status, 40)} after {run.steps:,} of {run.total_steps:,} steps"
        # It may be half-written, or truncated by a kill: the run is not counted anyway.
        with suppress(Exception):
            run = replace(run, evaluations=_evaluations_of(run))
        return replace(run, problem=f"{so_far}{log}", is_finished=False)
    try:
        run = _with_results(replace(run, evaluations=_evaluations_of(run)))
    except _NoResultError as error:
        return replace(run, problem=str(error))
    # Malformed tables can raise any exception.
    except Exception as error:
        return replace(run, problem=f"its evaluations.csv cannot be used ({reason_of(error)})")
    return _with_extras(run)


class _NoResultError(ValueError):
    """A finished run has no result that can be counted."""


def _as_told(directory: RunDirectory, config: Mapping[str, Any], summary: Mapping[str, Any]) -> StudyRun:
    """A `StudyRun` from a configuration and a summary, after checking that they are valid."""
    for key in (*COMPONENTS, "seed", "steps", "total_steps", "status"):
        if key not in summary:
            raise ValueError(f"its summary.json lacks {key!r}")
    numbers = [summary[key] for key in ("seed", "steps", "total_steps")]
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise ValueError(f"its summary.json has seed, steps and total_steps of {printable(numbers, 80)}")
    names = {group: str(summary[group]) for group in COMPONENTS}
    for name in names.values():
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise ValueError(f"its summary.json has a name that is none: {printable(name, 80)}")
    if config.get("seed") != summary["seed"]:
        raise ValueError("its config.yaml and its summary.json are of different runs")
    for group in COMPONENTS:
        if not isinstance(config.get(group), dict):
            raise ValueError(f"its config.yaml has no {group}")
    values = {key: json.dumps(value) if isinstance(value, list) else value for key, value in leaves(config)}
    seed, steps, total_steps = numbers
    study = config.get("study")
    return StudyRun(
        directory,
        values,
        names,
        seed,
        steps,
        total_steps,
        study=study if isinstance(study, str) else "",
        units=units_in(summary),
    )


def _evaluations_of(run: StudyRun) -> pd.DataFrame:
    """The log of a run's evaluations, after checking that its values can be used."""
    directory = run.directory
    try:
        directory.require_unchanged(directory.evaluations)
        evaluations = directory.read_evaluations()
    except FileNotFoundError as error:
        raise _NoResultError("it has no finished evaluation") from error
    except DamagedFileError as error:
        raise _NoResultError(f"its evaluations.csv cannot be used ({error})") from error
    if evaluations.empty:
        raise _NoResultError("it has no finished evaluation")
    is_simulated = "mastered_percent" in evaluations
    values = evaluations["mastered_percent" if is_simulated else "return"]
    not_finite = int((~np.isfinite(values)).sum())
    if not_finite:
        raise _NoResultError(
            f"{not_finite} of the {len(values)} {values.name} values in its evaluations are not finite"
        )
    _require_evaluations(evaluations, is_simulated)
    return evaluations


def _with_results(run: StudyRun) -> StudyRun:
    assert run.evaluations is not None
    mastery = mastery_in(run.evaluations)
    tested_at = int(mastery.index[-1])
    if tested_at < run.total_steps:
        raise _NoResultError(f"its last evaluation came after {tested_at:,} of {run.total_steps:,} steps")
    return replace(run, mastery=mastery, last=_evaluation_at(run.evaluations, tested_at))


def _evaluation_at(evaluations: pd.DataFrame, step: int) -> pd.DataFrame | None:
    """One evaluation, in the order of the test tasks; None for a simulated student, which has no tasks."""
    if "mastered_percent" in evaluations:
        return None
    return evaluations[evaluations["step"] == step].sort_values("task_index").reset_index(drop=True)


def as_of(run: StudyRun, step: int) -> StudyRun:
    """A run as it was after a number of steps, without its later evaluations.

    Args:
        run: A run with a result.
        step: Step of one of its evaluations; otherwise the returned run has a problem.
    """
    if run.problem is not None:
        return run
    assert run.evaluations is not None
    if step not in run.mastery.index:
        empty = pd.Series(dtype=np.float64)
        return replace(run, problem=f"it was not tested after {step:,} steps", mastery=empty, last=None)
    until = run.evaluations[run.evaluations["step"] <= step]
    # A simulated student's competence is saved at the end only.
    competence = run.competence if step == run.mastery.index[-1] else None
    return replace(
        run,
        steps=step,
        evaluations=until,
        mastery=run.mastery[run.mastery.index <= step],
        last=_evaluation_at(until, step),
        competence=competence,
    )


def _require_evaluations(evaluations: pd.DataFrame, is_simulated: bool) -> None:
    """Check that a table is a log of complete evaluations."""
    steps = evaluations["step"]
    names = [str(name) for name in evaluations.columns]
    if not all(name.isprintable() and len(name) <= _LONGEST_NAME for name in names):
        raise ValueError("a name of its columns is none")
    if steps.dtype.kind != "i" or steps.min() < 0 or not steps.is_monotonic_increasing:
        raise ValueError("its steps are not in order")
    if is_simulated:
        if not evaluations["mastered_percent"].between(0, 100).all() or not steps.is_unique:
            raise ValueError("its mastered_percent is none")
        return
    if evaluations["task_index"].dtype.kind != "i" or evaluations["mastered"].dtype != bool:
        raise ValueError("task_index must be whole numbers, and mastered True or False")
    tasks = evaluations.drop(columns=["mastered"])
    if any(tasks[name].dtype.kind not in "if" for name in tasks.columns if name not in RESERVED_NAMES):
        raise ValueError("a task must be numbers")
    sizes = np.unique(steps, return_counts=True)[1]
    is_whole = sizes.min() == sizes.max()
    if is_whole:
        played = np.sort(evaluations["task_index"].to_numpy().reshape(len(sizes), -1), axis=1)
        is_whole = not (np.diff(played) == 0).any() and bool((played == played[0]).all())
    if not is_whole:
        raise ValueError("not all of its evaluations have the same tasks, once each")


def _with_extras(run: StudyRun) -> StudyRun:
    """A run with its optional files (competence, versions); those that cannot be used are left out."""
    directory, faults = run.directory, list[LeftOut]()
    competence = versions = None
    try:
        directory.require_unchanged(directory.competence)
        competence = directory.read_competence() if directory.competence.exists() else None
    except DamagedFileError as error:
        faults.append(LeftOut(f"{error}; its competence is left out"))
    try:
        directory.require_unchanged(directory.versions)
        versions = _versions_in(directory.read_versions()) if directory.versions.exists() else None
    except DamagedFileError as error:
        faults.append(LeftOut(f"{error}; its versions are left out"))
    return replace(run, competence=competence, versions=versions, faults=tuple(faults))


def _versions_in(found: Mapping[str, Any]) -> str:
    listed = found.get("packages")
    packages = listed.items() if isinstance(listed, dict) else ()
    shown = ", ".join(f"{name} {version}" for name, version in packages if version is not None)
    return printable(f"Python {found.get('python')} on {found.get('platform')}; {shown}", 1000)

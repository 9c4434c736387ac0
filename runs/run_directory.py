"""The directory of one run: its files, and how they are written and read."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from . import checked_files
from .checked_files import DamagedFileError, digest_of, reading
from .checkpoints import Checkpoint, Checkpoints
from .printable import printable
from .whole_files import replacing

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_RECORDED_PACKAGES = (
    "chiron-curricula",
    "gymnasium",
    "box2d",
    "stable-baselines3",
    "torch",
    "scipy",
    "numpy",
    "hydra-core",
)


_FINISHED = "finished"
_LONGEST_UNIT = 20
"""Longest unit, in characters."""


class RunDirectory:
    """Paths of all files in a run directory, and methods to read and write them; see `docs/run_directory.md`.

    Args:
        path: The directory; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.versions = path / "versions.json"
        self.summary = path / "summary.json"
        self.lock = path / "run.lock"
        self.checkpoints = path / "checkpoints"
        self.log = path / "run.log"
        self.episodes = path / "episodes"
        self.evaluations = path / "evaluations.csv"
        self.reevaluations = path / "evaluations"
        self.snapshots = path / "snapshots.jsonl"
        self.competence = path / "competence.npy"
        self.model = path / "model.zip"
        self.tensors = path / "model.safetensors"
        self.normalization = path / "normalization.npz"
        self.best = path / "best"
        self.figure = path / "curriculum.png"
        self.still = path / "teacher.png"
        self.animation = path / "teacher.gif"
        self._states = Checkpoints(self.checkpoints)

    def begin(self, config: dict[str, Any]) -> None:
        """Write the configuration and the versions of the installed packages."""
        self.write_config(config)
        _write_json(self.versions, installed_versions())

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the configuration."""
        with replacing(self.config) as file:
            file.write_text(yaml.safe_dump(config, sort_keys=False))

    def read_config(self) -> dict[str, Any] | None:
        """The resolved configuration of the run, or None if nothing ran here.

        Raises:
            DamagedFileError: If the file cannot be used; the same holds for all readers of this class.
        """
        if not self.config.exists():
            return None
        with reading(self.config, self.path, checked_files.TEXT_BYTES) as file:
            return checked_files.read_yaml(file)

    def require_student(self, best: bool = False) -> dict[str, Any]:
        """The configuration of a run, after checking (without loading it) that its student can be loaded.

        Args:
            best: Check the student of the best evaluation instead of the last.

        Raises:
            ValueError: If this is not a run directory, its student is simulated, or it has no model yet.
        """
        config = self.read_config()
        if config is None:
            raise ValueError(f"run={self.path} is not a run directory: it holds no config.yaml")
        for group in ("env", "student"):
            if not isinstance(config.get(group), dict) or "_target_" not in config[group]:
                raise DamagedFileError(f"{self.config} does not say what the run's {group} is")
        self.require_unchanged(self.config)
        if config["env"]["_target_"] is None:
            raise ValueError(f"run={self.path} has a simulated student, which has no env")
        folder = self.best if best else self.path
        tensors, model = folder / self.tensors.name, folder / self.model.name
        saved = tensors if tensors.exists() else model
        if not saved.exists():
            raise ValueError(f"run={self.path} has no {saved.relative_to(self.path)} yet")
        self.require_unchanged(saved, folder / self.normalization.name)
        return config

    def read_versions(self) -> dict[str, Any]:
        """Python, platform and packages that the run was started with."""
        with reading(self.versions, self.path, checked_files.TEXT_BYTES) as file:
            return checked_files.read_json(file)

    def version_notices(self) -> list[str]:
        """Warnings about packages that have changed since the run was started."""
        try:
            begun = self.read_versions()["packages"]
        except (OSError, ValueError, KeyError, TypeError):
            return [f"{self.versions} cannot be read, so whether packages have changed is unknown"]
        now = installed_versions()["packages"]
        changed = [
            f"{name} {begun.get(name)} then, {now[name]} now" for name in now if begun.get(name) != now[name]
        ]
        return (
            [f"started with other packages, so rounding may differ: {', '.join(changed)}"] if changed else []
        )

    def checkpointed_step(self) -> int | None:
        """Step of the newest checkpoint, None if there is none."""
        return self._states.newest_step()

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Save a checkpoint and remove all but the last two; see `Checkpoints.save`."""
        self._states.save(checkpoint)

    def newest_checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest usable checkpoint; see `Checkpoints.newest`."""
        return self._states.newest()

    def keep_last_checkpoint(self) -> None:
        """Remove all checkpoints but the newest, from which the finished run can be continued."""
        self._states.keep_newest()

    def drop_checkpoints(self) -> None:
        """Remove all checkpoints: the finished run will not be continued."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def event_files(self) -> list[Path]:
        """TensorBoard event files of this run, oldest first."""
        # Event files in subfolders do not belong to this run.
        return sorted(self.path.glob("events.out.tfevents.*"))

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Replace the summary atomically; that of a finished run lists the SHA-256 of its files."""
        if summary["status"] == _FINISHED:
            files = [*self._results(), *self.reevaluations.glob("*.csv")]
            summary = {**summary, "files": {self._name_of(file): digest_of(file) for file in sorted(files)}}
        _write_json(self.summary, summary)

    def read_summary(self) -> dict[str, Any] | None:
        """The run's summary, or None if it has none yet."""
        if not self.summary.exists():
            return None
        with reading(self.summary, self.path, checked_files.TEXT_BYTES) as file:
            return checked_files.read_json(file)

    def record(self, file: Path) -> None:
        """Add a file that was written after the end of a finished run to its summary.

        Args:
            file: A file in this directory.
        """
        if self._recorded() is not None:
            summary = self.read_summary() or {}
            summary["files"][self._name_of(file)] = digest_of(file)
            _write_json(self.summary, summary)

    def require_unchanged(self, *files: Path) -> None:
        """Check that files are as the finished run left them; files it did not record are not checked.

        Args:
            files: Files or folders in this directory.

        Raises:
            DamagedFileError: If one of them is missing or differs from what the run wrote.
        """
        recorded = self._recorded() or {}
        for part in map(self._name_of, files):
            names = {name for name in recorded if name == part or name.startswith(f"{part}/")}
            is_there = (self.path / part).exists() and not (self.path / part).is_dir()
            for name in sorted(names | ({part} if is_there else set())):
                file = self.path / name
                if not file.exists():
                    raise DamagedFileError(f"{file} is missing")
                with reading(file, self.path, checked_files.LARGEST_BYTES):
                    is_unchanged = name not in recorded or digest_of(file) == recorded[name]
                if not is_unchanged:
                    raise DamagedFileError(
                        f"{file} is not what this run wrote: it was damaged or changed after its end"
                    )

    def _recorded(self) -> dict[str, str] | None:
        """SHA-256 by file of a finished run; None if unfinished, or if its version recorded none."""
        summary = self.read_summary() or {}
        files = summary.get("files") if summary.get("status") == _FINISHED else None
        return files if isinstance(files, dict) else None

    def _results(self) -> list[Path]:
        single = (
            *(self.config, self.versions, self.evaluations, self.snapshots, self.competence),
            *(self.model, self.tensors, self.normalization, self.figure, self.still, self.animation),
            *(self.best / file.name for file in (self.model, self.normalization)),
        )
        return [*(file for file in single if file.is_file()), *self.episodes.glob("part-*.parquet")]

    def _name_of(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    def read_episodes(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The log of training episodes, one row each, in the order in which they ended.

        Args:
            columns: Columns to read; all by default.

        Raises:
            FileNotFoundError: If no episode has been logged.
        """
        import pandas as pd  # here for start-up time

        tables = []
        for part in sorted(self.episodes.glob("part-*.parquet")):
            with reading(part, self.path, checked_files.TABLE_BYTES) as file:
                tables.append(checked_files.read_parquet(file, columns))
        if not tables:
            raise FileNotFoundError(f"{self.episodes} holds no episode")
        return pd.concat(tables, ignore_index=True)

    def read_evaluations(self) -> pd.DataFrame:
        """The log of evaluations: one row per test task and evaluation; one per evaluation if simulated."""
        return self._read_table(self.evaluations)

    def read_competence(self) -> NDArray[np.float64]:
        """The final competence of a simulated student, in [0, 1]: one axis per task parameter."""
        with reading(self.competence, self.path, checked_files.TABLE_BYTES) as file:
            return checked_files.read_array(file)

    def read_mastery(self) -> pd.Series[float]:
        """Percentage of the test tasks (or of a simulated student's cells) mastered, by evaluation step."""
        return mastery_in(self.read_evaluations())

    def test_sets(self) -> list[str]:
        """The named test sets on which the finished student has been evaluated."""
        return sorted(path.stem for path in self.reevaluations.glob("*.csv"))

    def read_test_set(self, name: str) -> pd.DataFrame:
        """The episodes that the finished student played on a named test set, one row each.

        Raises:
            FileNotFoundError: If the student was not evaluated on that set.
        """
        return self._read_table(self.test_set_rows(name))

    def test_set_rows(self, name: str) -> Path:
        """Path of the file with the episodes on a named test set."""
        return self.reevaluations / f"{name}.csv"

    def _read_table(self, path: Path) -> pd.DataFrame:
        with reading(path, self.path, checked_files.TABLE_BYTES) as file:
            return checked_files.read_table(file)


def mastery_in(evaluations: pd.DataFrame) -> pd.Series[float]:
    """Percentage mastered by step, from the log of evaluations.

    Args:
        evaluations: As `RunDirectory.read_evaluations` returns it.
    """
    if "mastered_percent" in evaluations:
        return evaluations.set_index("step")["mastered_percent"]
    return 100 * evaluations.groupby("step")["mastered"].mean()


def units_in(summary: Mapping[str, Any]) -> dict[str, str]:
    """The units of a run's task parameters, by column, from its summary; only printable, short ones."""
    found = summary.get("units")
    units = found.items() if isinstance(found, dict) else ()
    return {
        name: unit for name, unit in units if isinstance(unit, str) and unit == printable(unit, _LONGEST_UNIT)
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def installed_versions() -> dict[str, Any]:
    """Python, platform and the packages that results depend on."""
    packages: dict[str, str | None] = {}
    for name in _RECORDED_PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
    }

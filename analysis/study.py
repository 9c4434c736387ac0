"""The runs of a study, as their directories tell of them: what ran, how it ended, what it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..runs.run_directory import RunDirectory, mastery_in
from ..runs.settings import leaves

COMPONENTS = ("env", "teacher", "student")

_FINISHED = "finished"


@dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
        directory: Where it lies.
        config: Its configuration: the value of each leaf by its dotted key, lists as JSON.
        names: What the configuration calls its env, teacher and student.
        seed: Its seed.
        steps: Training steps it made.
        total_steps: Training steps it was to make.
        problem: Why it cannot be counted, or None.
        mastery: Percentage mastered by step; empty if it cannot be counted.
        last: One row per test task of its last evaluation, in the order of the tasks, with the columns of
            `evaluations.csv`; None for a simulated student.
    """

    directory: RunDirectory
    config: Mapping[str, Any]
    names: Mapping[str, str]
    seed: int
    steps: int
    total_steps: int
    problem: str | None = None
    mastery: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=np.float64))
    last: pd.DataFrame | None = None

    @property
    def score(self) -> float:
        """Percentage mastered in the end."""
        return float(self.mastery.iloc[-1])

    @property
    def is_simulated(self) -> bool:
        """Whether its student is simulated, and so brings its own env."""
        return self.config.get("env._target_") is None


def load_study(*folders: Path | str) -> tuple[list[StudyRun], list[str]]:
    """Load every run in or below some folders.

    Args:
        folders: Runs' directories, or folders that hold some.

    Returns:
        The runs, in the order of their paths, and a sentence about each folder that is or holds none.
    """
    runs: dict[Path, StudyRun] = {}
    notes = []
    for folder in map(Path, folders):
        found = sorted({path.parent for name in _MARKS for path in folder.rglob(name)})
        if not found:
            notes.append(f"{folder} is not a run and contains none")
        for path in found:
            if path.resolve() in runs:
                continue
            try:
                runs[path.resolve()] = read_run(path)
            except _NotARunError as error:
                notes.append(f"{path} is not a run: {error}")
    return list(runs.values()), notes


_MARKS = ("config.yaml", "summary.json", "evaluations.csv")


class _NotARunError(ValueError):
    """A folder that has something of a run but not what makes one."""


def read_run(path: Path) -> StudyRun:
    """Read one run.

    Args:
        path: Its directory.

    Raises:
        ValueError: If what lies there does not say what ran.
    """
    directory = RunDirectory(path)
    try:
        config, summary = directory.read_config(), directory.read_summary()
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise _NotARunError(f"its files cannot be read ({_first_line(error)})") from error
    if config is None or summary is None:
        missing = directory.config if config is None else directory.summary
        raise _NotARunError(f"it has no {missing.name}")
    try:
        run = StudyRun(
            directory,
            {k: json.dumps(v) if isinstance(v, list) else v for k, v in leaves(config)},
            {group: str(summary[group]) for group in COMPONENTS},
            summary["seed"],
            summary["steps"],
            summary["total_steps"],
        )
        status = summary["status"]
    except (KeyError, TypeError) as error:
        raise _NotARunError(f"its summary.json lacks {error}") from error
    if status != _FINISHED:
        log = f", see {directory.log}" if directory.log.exists() else ""
        return replace(run, problem=f"{status} after {run.steps:,} of {run.total_steps:,} steps{log}")
    return _with_results(run)


def _with_results(run: StudyRun) -> StudyRun:
    try:
        evaluations = run.directory.read_evaluations()
        mastery = mastery_in(evaluations)
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return replace(run, problem="it has no finished evaluation")
    except (KeyError, ValueError) as error:
        return replace(run, problem=f"its evaluations.csv cannot be read ({_first_line(error)})")
    if mastery.empty:
        return replace(run, problem="it has no finished evaluation")
    values = evaluations["return" if "return" in evaluations else "mastered_percent"]
    not_finite = int((~np.isfinite(values)).sum())
    if not_finite:
        problem = f"{not_finite} of the {len(values)} {values.name} values in its evaluations are not finite"
        return replace(run, problem=problem)
    tested_at = int(mastery.index[-1])
    if tested_at < run.total_steps:
        return replace(
            run, problem=f"its last evaluation came after {tested_at:,} of {run.total_steps:,} steps"
        )
    last = None
    if "task_index" in evaluations:
        last = evaluations[evaluations["step"] == tested_at].sort_values("task_index").reset_index(drop=True)
    return replace(run, mastery=mastery, last=last)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

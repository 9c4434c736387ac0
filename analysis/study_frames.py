"""A study as data frames: its runs, their evaluations, their training episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.metrics import area_under_curve
from ..runs.checked_files import DamagedFileError
from .study import COMPONENTS, LeftOut, StudyRun, read_study

KEYS = ("study", *COMPONENTS, "seed", "run")
"""The columns that every frame begins with: what was run, and the directory of the run."""

_EPISODE_COLUMNS = {"seed": "episode_seed"}
"""What is called otherwise than in the files, where a run's own seed is no column."""
_NO_SETTINGS = ("seed", "study", "results")


@dataclass
class Study:
    """What is known of some runs, as tidy data frames: one row per run, test episode, or training episode.

    Every frame begins with the columns `study`, `env`, `teacher`, `student` (categories), `seed`, and `run`,
    the directory of the run (a category), by which frames can be joined. Columns of a task that bear one of
    these names have `task_` before it.

    Attributes:
        runs: One row per run: the key columns; every setting that differs between runs, by its dotted key;
            `steps` and `total_steps`, `mastered_percent`, `return_mean` (mean return over the test tasks;
            NaN of a simulated student) and `area` in the end; `problem`, a sentence on why the run has no
            result, if it has none.
        evaluations: One row per evaluation and test task, with the columns of `evaluations.csv`; of a
            simulated student, one row per evaluation. Runs in progress are there as far as they have come.
        notes: A sentence about everything that is left out or is not as it should be.
    """

    runs: pd.DataFrame
    evaluations: pd.DataFrame
    notes: list[str]
    _read: Sequence[StudyRun] = field(repr=False)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """One row per training episode, with the columns of the episode log; read when first asked for.

        The seed of the episode is in the column `episode_seed`.
        """
        tables = []
        for run in self._read:
            try:
                run.directory.require_unchanged(run.directory.episodes)
                tables.append((run, run.directory.read_episodes()))
            except FileNotFoundError:
                continue
            except (DamagedFileError, ValueError) as error:
                self.notes.append(LeftOut(f"{error}; the episodes of {run.directory.path} are left out"))
        episodes = _joined(tables, _EPISODE_COLUMNS)
        return episodes.astype({"source": "category"}) if "source" in episodes else episodes


def load_study(*folders: Path | str, **named: Path | str) -> Study:
    """Load every run in or below some folders as data frames.

    Args:
        folders: Runs' directories, or folders that hold some.
        named: The same; `load_study(new="results/a", old="results/b")` calls these studies `new` and `old`.

    Raises:
        ValueError: If there is no run.
    """
    found, notes = read_study(*folders, **named)
    if not found:
        raise ValueError("; ".join(notes) or "load_study needs a folder that holds runs")
    evaluations = [(run, run.evaluations) for run in found if run.evaluations is not None]
    notes += [fault for run in found for fault in run.faults]
    return Study(_runs(found), _joined(evaluations), notes, found)


def _runs(found: Sequence[StudyRun]) -> pd.DataFrame:
    keys = dict.fromkeys(key for run in found for key in run.config if key not in _NO_SETTINGS)
    differing = [key for key in keys if len({repr(run.config.get(key)) for run in found}) > 1]
    settings = pd.DataFrame({key: [run.config.get(key) for run in found] for key in differing})
    results = pd.DataFrame([_result(run) for run in found])
    own = [name for name in settings if name not in results]
    return pd.concat([_keys(found, [1] * len(found)), settings[own].convert_dtypes(), results], axis=1)


def _result(run: StudyRun) -> dict[str, Any]:
    has_result = run.problem is None
    nothing = float("nan")
    return {
        "steps": run.steps,
        "total_steps": run.total_steps,
        "mastered_percent": run.score if has_result else nothing,
        "return_mean": nothing if run.last is None else float(run.last["return"].mean()),
        "area": area_under_curve(run.mastery.index, run.mastery) if has_result else nothing,
        "problem": run.problem,
    }


def _joined(
    tables: Sequence[tuple[StudyRun, pd.DataFrame]], names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Tables of runs below each other, beside what says which run each row is of."""
    if not tables:
        return _keys([], [])
    rows = pd.concat([table for _, table in tables], ignore_index=True)
    rows = rows.rename(columns={**{key: f"task_{key}" for key in KEYS}, **(names or {})})
    if "mastered" in rows:
        # Of simulated students nobody knows which task was mastered.
        rows = rows.astype({"mastered": "boolean"})
    keys = _keys([run for run, _ in tables], [len(table) for _, table in tables])
    return pd.concat([keys, rows], axis=1)


def _keys(runs: Sequence[StudyRun], lengths: Sequence[int]) -> pd.DataFrame:
    """The key columns: those of each run, as often as its rows."""
    known = {
        "study": [run.study for run in runs],
        **{group: [run.names[group] for run in runs] for group in COMPONENTS},
        "seed": [run.seed for run in runs],
        "run": [str(run.directory.path) for run in runs],
    }
    kinds = {name: "int64" if name == "seed" else "category" for name in KEYS}
    keys = pd.DataFrame(known, columns=list(KEYS), dtype=object).astype(kinds)
    return keys.iloc[np.repeat(np.arange(len(runs)), lengths)].reset_index(drop=True)

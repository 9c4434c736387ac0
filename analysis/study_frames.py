"""A study as data frames: runs, evaluations and training episodes."""

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
"""The first columns of every frame: what was run, and the directory of the run."""

_EPISODE_COLUMNS = {"seed": "episode_seed"}
"""Columns named differently than in the files, which have no column for the seed of the run."""
_NO_SETTINGS = ("seed", "study", "results")


@dataclass
class Study:
    """Runs as tidy data frames, with one row per run, test episode, or training episode.

    Every frame begins with the columns `study`, `env`, `teacher`, `student` (categories), `seed`, and `run`,
    the directory of the run (a category), on which frames can be joined. Task columns with one of these
    names are prefixed with `task_`.

    Attributes:
        runs: One row per run: the key columns; every setting that differs between runs, by its dotted key;
            `steps` and `total_steps`; the final `mastered_percent`, `return_mean` (mean return over the test
            tasks; NaN for simulated students) and `area`; and `problem`, a sentence on why the run has no
            result, if it has none.
        evaluations: One row per evaluation and test task, with the columns of `evaluations.csv`; for
            simulated students, one row per evaluation. Includes the evaluations so far of runs in progress.
        notes: Warnings, one sentence each, about anything left out or unexpected.
    """

    runs: pd.DataFrame
    evaluations: pd.DataFrame
    notes: list[str]
    _read: Sequence[StudyRun] = field(repr=False)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """One row per training episode, with the columns of the episode log; read on first access.

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
    """Load all runs in the given folders and their subfolders as data frames.

    Args:
        folders: Run directories, or folders that contain some.
        named: The same; `load_study(new="results/a", old="results/b")` calls these studies `new` and `old`.

    Raises:
        ValueError: If no run is found.
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
    """Concatenated tables of runs, with key columns that identify the run of each row."""
    if not tables:
        return _keys([], [])
    rows = pd.concat([table for _, table in tables], ignore_index=True)
    rows = rows.rename(columns={**{key: f"task_{key}" for key in KEYS}, **(names or {})})
    if "mastered" in rows:
        # Nullable, because simulated students do not report which task was mastered.
        rows = rows.astype({"mastered": "boolean"})
    keys = _keys([run for run, _ in tables], [len(table) for _, table in tables])
    return pd.concat([keys, rows], axis=1)


def _keys(runs: Sequence[StudyRun], lengths: Sequence[int]) -> pd.DataFrame:
    """The key columns, with those of each run repeated for each of its rows."""
    known = {
        "study": [run.study for run in runs],
        **{group: [run.names[group] for run in runs] for group in COMPONENTS},
        "seed": [run.seed for run in runs],
        "run": [str(run.directory.path) for run in runs],
    }
    kinds = {name: "int64" if name == "seed" else "category" for name in KEYS}
    keys = pd.DataFrame(known, columns=list(KEYS), dtype=object).astype(kinds)
    return keys.iloc[np.repeat(np.arange(len(runs)), lengths)].reset_index(drop=True)

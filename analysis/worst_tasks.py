"""The worst tasks of a comparison, and the episodes that judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..runs.checked_files import DamagedFileError
from .conditions import Condition
from .statistics import worst_tasks_mean
from .study import LeftOut, StudyRun

WORST_SHARE = 0.1
"""Share of the test tasks used for the conditional value at risk."""


def judge_of(counted: Sequence[Condition]) -> tuple[str | None, dict[Path, pd.DataFrame], list[str]]:
    """The largest named test set on which all runs have played the same two or more episodes per task.

    Returns:
        Its name, the rows of each run by its directory, and a sentence about each set that cannot be used.
    """
    runs = [run for condition in counted for run in condition.counted]
    notes: list[str] = []
    usable = []
    for run in runs:
        try:
            run.directory.require_unchanged(run.directory.reevaluations)
        except DamagedFileError as error:
            notes.append(LeftOut(f"{error}: it is not used"))
    for name in sorted(set.intersection(*(set(run.directory.test_sets()) for run in runs))):
        rows, faults = _rows_of(name, runs)
        if faults:
            notes += faults
            continue
        episodes = [table[["task_index", "episode", "seed"]] for table in rows.values()]
        if not all(played.equals(episodes[0]) for played in episodes):
            notes.append(f"Not all runs were evaluated on the same episodes of {name}: it is not used")
        elif episodes[0]["episode"].max() >= 1:
            usable.append((name, rows))
    if not usable:
        return None, {}, notes
    name, rows = max(usable, key=lambda candidate: len(next(iter(candidate[1].values()))))
    return name, rows, notes


def _rows_of(name: str, runs: Sequence[StudyRun]) -> tuple[dict[Path, pd.DataFrame], list[LeftOut]]:
    """The episodes of each run on a named test set, and a sentence about each run that cannot be used."""
    rows, faults = {}, []
    for run in runs:
        try:
            run.directory.require_unchanged(run.directory.test_set_rows(name))
            table = run.directory.read_test_set(name)
            numbers = table[["task_index", "episode", "seed", "return"]]
            if table.empty or not all(numbers[key].dtype.kind in "if" for key in numbers):
                raise ValueError(f"{run.directory.test_set_rows(name)} holds no episodes")
        except (DamagedFileError, ValueError, KeyError) as error:
            faults.append(LeftOut(f"{error}: evaluations on {name} are not used"))
            continue
        rows[run.directory.path] = table
    return rows, faults


def worst_return(run: StudyRun, again: pd.DataFrame | None) -> float:
    """Mean return of a run on its worst tasks.

    Args:
        run: A run with test tasks.
        again: Its episodes on a named test set, as for `worst_return_of`; None if the last evaluation must
            both choose and judge.
    """
    if again is not None:
        return worst_return_of(again)
    assert run.last is not None
    return worst_tasks_mean(run.last["return"], run.last["return"], WORST_SHARE)


def worst_return_of(episodes: pd.DataFrame) -> float:
    """Mean return on the worst tasks of a test set, chosen by its even episodes and judged by its odd ones.

    Args:
        episodes: Episodes of a named test set, as stored in a run directory; two or more per task.
    """
    chooses = episodes["episode"] % 2 == 0
    chosen_by, judged_by = (
        episodes[part].groupby("task_index")["return"].mean() for part in (chooses, ~chooses)
    )
    return worst_tasks_mean(chosen_by, judged_by, WORST_SHARE)

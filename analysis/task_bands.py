"""Mastery and training episodes in each band of each task parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..runs.checked_files import DamagedFileError
from .conditions import Condition, task_columns_of
from .study import LeftOut, StudyRun

BANDS = 4
"""Equal parts that the range of each parameter is divided into."""
QUARTERS = tuple(f"trained_{number}" for number in range(1, 5))
"""Columns with the percentage of training episodes in a band, for each quarter of the training steps."""


def task_bands(counted: Sequence[Condition], notes: list[str]) -> pd.DataFrame:
    """One row per condition, task parameter and band; none for simulated students.

    Args:
        counted: Conditions with a result.
        notes: Gets a sentence about each episode log that cannot be used.

    Returns:
        `condition`, `parameter`, `low` and `high` end of the band, `tasks` in it; `mastered_mean` and
        `mastered_sd` over seeds, `return_mean`, and `return_sd` over all returns in the band; the
        percentages `QUARTERS`, NaN without an episode log.
    """
    trained = [condition for condition in counted if task_columns_of(condition.counted[0])]
    names = dict.fromkeys(name for condition in trained for name in task_columns_of(condition.counted[0]))
    all_edges = {name: _edges(name, trained) for name in names}
    rows: list[dict[str, Any]] = []
    for condition in trained:
        columns = task_columns_of(condition.counted[0])
        edges = {name: all_edges[name] for name in columns}
        shares = _training_shares(condition, edges, notes)
        for name in columns:
            rows += [
                {"condition": condition.label, "parameter": name, **row, **share}
                for row, share in zip(_results(condition, name, edges[name]), shares[name], strict=True)
            ]
    return pd.DataFrame(rows)


def band_cells(bands: pd.DataFrame) -> dict[str, list[dict[str, str]]]:
    """The formatted tables by parameter: a row for each condition, a column for each band."""
    tables: dict[str, list[dict[str, str]]] = {}
    if bands.empty:
        return tables
    for (parameter, label), own in bands.groupby(["parameter", "condition"], sort=False):
        row = {"condition": str(label)}
        for band in own.to_dict("records"):
            trained = [band[quarter] for quarter in QUARTERS]
            text = f"{band['mastered_mean']:.0f}% · {band['return_mean']:.0f} ± {band['return_sd']:.0f}"
            if not np.isnan(trained).any():
                text += f" · {trained[0]:.0f} → {trained[-1]:.0f}%"
            row[f"{band['low']:.3g} to {band['high']:.3g}"] = text if band["tasks"] else "–"
        tables.setdefault(str(parameter), []).append(row)
    return tables


def _edges(name: str, conditions: Sequence[Condition]) -> NDArray[np.float64]:
    """The edges of a parameter's bands, shared by all conditions that have it."""
    values = [
        run.last[name].to_numpy(np.float64)
        for condition in conditions
        for run in condition.counted[:1]
        if run.last is not None and name in run.last
    ]
    everything = np.concatenate(values)
    return np.linspace(everything.min(), everything.max(), BANDS + 1)


def _band_of(values: Any, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.searchsorted(edges, np.asarray(values, np.float64), "right") - 1, 0, BANDS - 1)


def _results(condition: Condition, name: str, edges: NDArray[np.float64]) -> list[dict[str, Any]]:
    tests = [run.last for run in condition.counted if run.last is not None]
    bands = [_band_of(test[name], edges) for test in tests]
    rows = []
    for band in range(BANDS):
        inside = [test[own == band] for test, own in zip(tests, bands, strict=True)]
        row = {"low": edges[band], "high": edges[band + 1], "tasks": len(inside[0])}
        nothing = dict.fromkeys(("mastered_mean", "mastered_sd", "return_mean", "return_sd"), float("nan"))
        if len(inside[0]):
            mastered = pd.Series([100 * test["mastered"].mean() for test in inside])
            returns = pd.concat([test["return"] for test in inside])
            found = (mastered.mean(), mastered.std(), returns.mean(), returns.std())
            nothing = dict(zip(nothing, map(float, found), strict=True))
        rows.append(row | nothing)
    return rows


def _training_shares(
    condition: Condition, edges: dict[str, NDArray[np.float64]], notes: list[str]
) -> dict[str, list[dict[str, float]]]:
    """The share of training by parameter and band, averaged over runs that have a log."""
    tables = [counts for run in condition.counted if (counts := _counts(run, edges, notes)) is not None]
    nothing = np.full((len(edges), BANDS, len(QUARTERS)), np.nan)
    means = np.mean(tables, axis=0) if tables else nothing
    return {
        name: [dict(zip(QUARTERS, map(float, band), strict=True)) for band in means[index]]
        for index, name in enumerate(edges)
    }


def _counts(
    run: StudyRun, edges: dict[str, NDArray[np.float64]], notes: list[str]
) -> NDArray[np.float64] | None:
    """Percentages of the episodes, shape (parameters, bands, quarters)."""
    try:
        run.directory.require_unchanged(run.directory.episodes)
        tasks = run.directory.read_episodes(["step", *edges])
        steps = tasks["step"].to_numpy(np.float64)
    except FileNotFoundError:
        return None
    except (DamagedFileError, ValueError) as error:
        notes.append(LeftOut(f"{error}; its training episodes are left out"))
        return None
    end = run.mastery.index[-1]
    quarter = np.clip((4 * steps / end).astype(int), 0, 3)
    kept = steps <= end + 1
    counts = np.zeros((len(edges), BANDS, len(QUARTERS)))
    for index, name in enumerate(edges):
        np.add.at(counts[index], (_band_of(tasks[name], edges[name])[kept], quarter[kept]), 1)
    return np.asarray(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))

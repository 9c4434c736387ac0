"""Figures of a comparison: learning curves, maps of mastery, who beats whom, performance profiles."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorizer import ColorizingArtist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..runs import plots
from .comparison import Comparison
from .conditions import Condition, task_columns_of
from .significance import SIGNIFICANCE_LEVEL
from .statistics import mean_curve_interval

_COLORS = [colormaps["tab10"](index) for index in (0, 1, 2, 3, 4, 6, 8, 9)]
_DASHES = ("-", "--", ":", "-.")
_PROFILE_POINTS = 201
_MAPS_ACROSS = 5
_TITLE_COLUMNS = 26
"""Characters after which the title of a map is wrapped."""
_FAINT_DIFFERENCE = 10.0
"""A difference that the matrix gives its full colour only if it is the largest one, percentage points."""


class NothingToDrawError(ValueError):
    """A figure would be empty; the message says why."""


def draw_learning_curves(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Mean percentage mastered over training steps, with Student's 95% confidence band of the mean."""
    figure, (axes,) = plots.panels(1, 1, 9, 4.8)
    for condition, (color, dashes) in _styled(comparison):
        rows = comparison.curves[comparison.curves["condition"] == condition.label]
        marker = "o" if len(rows) == 1 else None
        axes.plot(rows["step"], rows["mean"], dashes, color=color, marker=marker, label=_legend(condition))
        low, high = ((rows["mean"] + sign * rows["margin"]).clip(0, 100) for sign in (-1, 1))
        axes.fill_between(rows["step"], low, high, color=color, alpha=0.18, linewidth=0)
    highest = (comparison.curves["mean"] + comparison.curves["margin"].fillna(0)).max()
    top = min(100, max(10, 1.1 * highest))
    axes.set(xlabel="training steps", ylabel="mastered (%)", ylim=(-0.015 * top, top))
    axes.xaxis.set_major_formatter(plots.STEPS)
    axes.margins(x=0.01)
    _finish(figure, axes)
    return figure


def draw_mastery_maps(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Which tasks of a plane were mastered in the end, and by what share of the seeds.

    Raises:
        NothingToDrawError: If no condition has tasks of two parameters.
    """
    drawn = [condition for condition in comparison.counted if _is_plane(condition)]
    if not drawn:
        raise NothingToDrawError("Maps need tasks with two parameters; these have fewer or more.")
    figure, panels = plots.panels(len(drawn), _MAPS_ACROSS, 3.3, 3.4)
    for condition, axes in zip(drawn, panels, strict=True):
        shown = _draw_map(axes, condition)
        axes.set_title(textwrap.fill(condition.label, _TITLE_COLUMNS), fontsize=10)
    simulated = drawn[0].counted[0].is_simulated
    label = "mean competence" if simulated else "share of seeds that mastered the task"
    figure.colorbar(shown, ax=panels, label=label, fraction=0.05, aspect=30)
    return figure


def draw_significance(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """For each pair, by how much the row's mean is above the column's; framed where that is significant.

    Raises:
        NothingToDrawError: If there are fewer than two conditions.
    """
    labels = [condition.label for condition in comparison.counted]
    if len(labels) < 2:
        raise NothingToDrawError("There is one condition only, so there is no pair to compare.")
    where = {label: index for index, label in enumerate(labels)}
    differences = np.full((len(labels), len(labels)), np.nan)
    size = max(4.6, 1.6 + 0.85 * len(labels))
    figure, (axes,) = plots.panels(1, 1, size + 1.6, size)
    for row in comparison.pairs.itertuples():
        i, j = where[str(row.condition)], where[str(row.other)]
        difference, p = float(row.difference), float(row.p_holm)  # type: ignore[arg-type]  # untyped rows
        differences[i, j], differences[j, i] = difference, -difference
        is_sure = p < SIGNIFICANCE_LEVEL
        for x, y, sign in ((j, i, 1), (i, j, -1)):
            # Adding zero turns -0.0 into 0.0.
            text = f"{round(sign * difference, 1) + 0.0:+.1f}\n{_p_text(p)}"
            axes.text(x, y, text, ha="center", va="center", fontsize=9, weight="bold" if is_sure else None)
            if is_sure:
                frame = plots.rectangle((x - 0.46, y - 0.46), (x + 0.46, y + 0.46))
                axes.plot(*frame.T, color=plots.INK, linewidth=1.3)
    largest = max(float(np.nanmax(np.abs(differences))), _FAINT_DIFFERENCE)
    shown = axes.imshow(differences, cmap="BrBG", vmin=-1.6 * largest, vmax=1.6 * largest)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(shown, ax=axes, label="row minus column, mastered (%)", fraction=0.046)
    bar.ax.set_ylim(-largest, largest)
    return figure


def draw_profiles(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """For each level, the share of test episodes (simulated: of runs) that reach it, with a 95% band.

    Performance profiles of Agarwal et al. 2021. A curve that lies above another everywhere is better
    everywhere.

    Raises:
        NothingToDrawError: If some students are simulated and others are not.
    """
    if len({condition.counted[0].is_simulated for condition in comparison.counted}) > 1:
        raise NothingToDrawError("Returns and simulated students' percentages have no common axis.")
    results = {condition.label: _results(condition) for condition in comparison.counted}
    everything = np.concatenate([values.ravel() for values in results.values()])
    low, high = float(everything.min()), float(everything.max())
    margin = 0.02 * (high - low) or 1.0
    levels = np.linspace(low - margin, high + margin, _PROFILE_POINTS)
    figure, (axes,) = plots.panels(1, 1, 9, 4.4)
    for condition, (color, dashes) in _styled(comparison):
        reached = (results[condition.label][:, :, None] > levels).mean(axis=1)
        axes.plot(levels, 100 * reached.mean(axis=0), dashes, color=color, label=_legend(condition))
        bottom, top = mean_curve_interval(reached, rng)
        axes.fill_between(levels, 100 * bottom, 100 * top, color=color, alpha=0.18, linewidth=0)
    if all(condition.counted[0].last is None for condition in comparison.counted):
        axes.set(xlabel="mastered (%)", ylabel="runs that master more (%)")
    else:
        axes.set(xlabel="return", ylabel="test episodes with a higher return (%)")
    axes.set(xlim=(levels[0], levels[-1]), ylim=(-1, 101))
    _finish(figure, axes)
    return figure


FIGURES: dict[str, Callable[[Comparison, np.random.Generator], Figure]] = {
    "learning_curves": draw_learning_curves,
    "mastery_maps": draw_mastery_maps,
    "significance": draw_significance,
    "performance_profiles": draw_profiles,
}
"""Every figure by its file name. Each takes the comparison and a generator for its intervals."""


def _styled(
    comparison: Comparison,
) -> Sequence[tuple[Condition, tuple[tuple[float, float, float, float], str]]]:
    """Each condition with colour and dashes of its own, the same in all figures."""
    styles = [(color, dashes) for dashes in _DASHES for color in _COLORS]
    return list(zip(comparison.counted, cycle(styles), strict=False))


def _legend(condition: Condition) -> str:
    seeds = len(condition.counted)
    # Matplotlib leaves out of its legends what begins with an underscore.
    label = condition.label if not condition.label.startswith("_") else f" {condition.label}"
    return f"{label} ({seeds} seed{'s' if seeds > 1 else ''})"


def _finish(figure: Figure, axes: Axes) -> None:
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)


def _p_text(p: float) -> str:
    return "not tested" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _is_plane(condition: Condition) -> bool:
    run = condition.counted[0]
    if run.is_simulated:
        return any(run.competence is not None and run.competence.ndim == 2 for run in condition.counted)
    return len(task_columns_of(run)) == 2


def _draw_map(axes: Axes, condition: Condition) -> ScalarMappable | ColorizingArtist:
    """Returns what a colour bar is for."""
    runs = condition.counted
    if runs[0].is_simulated:
        planes = [run.competence for run in runs if run.competence is not None and run.competence.ndim == 2]
        competence = np.mean([plane for plane in planes if plane.shape == planes[0].shape], axis=0)
        axes.set(xlabel="x0", ylabel="x1", aspect="equal")
        return axes.imshow(competence.T, origin="lower", extent=(0, 1, 0, 1), cmap="viridis", vmin=0, vmax=1)
    x, y = task_columns_of(runs[0])
    rows = pd.concat([run.last for run in runs if run.last is not None])
    tasks = rows.groupby("task_index")[[x, y, "mastered"]].mean()
    axes.set(xlabel=x, ylabel=y)
    style: dict[str, Any] = {"s": 46, "edgecolors": plots.SOFT, "linewidths": 0.5}
    return axes.scatter(tasks[x], tasks[y], c=tasks["mastered"], cmap="viridis", vmin=0, vmax=1, **style)


def _results(condition: Condition) -> NDArray[np.float64]:
    """Final returns, shape (runs, tasks); percentages mastered of shape (runs, 1) if simulated."""
    tables = [run.last for run in condition.counted if run.last is not None]
    if not tables:
        return condition.scores[:, None]
    return np.stack([table["return"].to_numpy(np.float64) for table in tables])

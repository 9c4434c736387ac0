"""Figures of a comparison: learning curves, maps of mastery, who beats whom, performance profiles."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorizer import ColorizingArtist
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..runs import plots
from ..runs.teacher_styles import DASHES, Dashes, teacher_style
from .comparison import Comparison
from .conditions import Condition, task_columns_of
from .significance import SIGNIFICANCE_LEVEL
from .statistics import FEWEST_SEEDS_OF_AN_INTERVAL, mean_curve_interval


class Page(NamedTuple):
    """What figures are drawn for.

    Attributes:
        width: Of a figure, inches.
        height: Of a figure, inches.
        is_paper: Whether readers want the names that papers use, and the legend below.
    """

    width: float
    height: float
    is_paper: bool


REPORT = Page(9, 4.6, is_paper=False)
PAPER = Page(3.25, 2.5, is_paper=True)
"""A column of a paper."""
_PROFILE_POINTS = 201
_MAPS_ACROSS = 5
_TITLE_COLUMNS = 26
"""Characters after which the title of a map is wrapped."""
_FAINT_DIFFERENCE = 10.0
"""A difference that the matrix gives its full colour only if it is the largest one, percentage points."""


class NothingToDrawError(ValueError):
    """A figure would be empty; the message says why."""


def draw_learning_curves(comparison: Comparison, rng: np.random.Generator, page: Page = REPORT) -> Figure:
    """Mean percentage mastered over training steps, with Student's 95% confidence band of the mean."""
    figure, axes = _draw_curves(comparison, "", "mastered (%)", page)
    curves = comparison.curves
    margins = curves["margin"].where(curves["seeds"] >= FEWEST_SEEDS_OF_AN_INTERVAL).fillna(0)
    highest = (curves["mean"] + margins).max()
    top = min(100, max(10, 1.1 * highest))
    axes.set_ylim(-0.015 * top, top)
    return figure


def draw_return_curves(comparison: Comparison, rng: np.random.Generator, page: Page = REPORT) -> Figure:
    """Mean return of the test tasks over training steps, with Student's 95% confidence band of the mean.

    Raises:
        NothingToDrawError: If all students are simulated.
    """
    if "return_mean" not in comparison.curves or comparison.curves["return_mean"].isna().all():
        raise NothingToDrawError("Simulated students have no returns of test tasks.")
    return _draw_curves(comparison, "return_", "mean return", page)[0]


def _draw_curves(comparison: Comparison, prefix: str, label: str, page: Page) -> tuple[Figure, Axes]:
    figure, (axes,) = plots.panels(1, 1, page.width, page.height)
    for condition, (color, dashes) in _styled(comparison):
        rows = comparison.curves[comparison.curves["condition"] == condition.label]
        means, margins = rows[f"{prefix}mean"], rows[f"{prefix}margin"]
        marker = "o" if len(rows) == 1 else None
        axes.plot(
            rows["step"], means, linestyle=dashes, color=color, marker=marker, label=_legend(condition, page)
        )
        # Of two seeds the interval is so wide that it says nothing and hides the rest.
        margins = margins.where(rows["seeds"] >= FEWEST_SEEDS_OF_AN_INTERVAL)
        low, high = means - margins, means + margins
        if not prefix:
            low, high = low.clip(0, 100), high.clip(0, 100)
        axes.fill_between(rows["step"], low, high, color=color, alpha=0.18, linewidth=0)
    axes.set(xlabel="training steps", ylabel=label)
    axes.xaxis.set_major_formatter(plots.STEPS)
    axes.margins(x=0.01)
    _finish(figure, axes, page)
    return figure, axes


def draw_mastery_maps(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Which tasks were mastered in the end, and by what share of the seeds.

    Two parameters span a plane. Of more, each condition gets a row with the pairs of the three parameters
    along which the share of mastered tasks changes most.

    Raises:
        NothingToDrawError: If no condition has tasks of two or more parameters.
    """
    drawn = [condition for condition in comparison.counted if _is_plane(condition)]
    if not drawn:
        return _draw_pairs(comparison)
    figure, panels = plots.panels(len(drawn), _MAPS_ACROSS, 3.3, 3.4)
    for condition, axes in zip(drawn, panels, strict=True):
        shown = _draw_map(axes, condition)
        axes.set_title(textwrap.fill(condition.label, _TITLE_COLUMNS), fontsize=10)
    simulated = drawn[0].counted[0].is_simulated
    label = "mean competence" if simulated else "share of seeds that mastered the task"
    figure.colorbar(shown, ax=panels, label=label, fraction=0.05, aspect=30)
    return figure


def _draw_pairs(comparison: Comparison) -> Figure:
    drawn = [condition for condition in comparison.counted if len(task_columns_of(condition.counted[0])) > 2]
    if not drawn:
        raise NothingToDrawError("Maps need tasks with two or more parameters.")
    figure, panels = plots.panels(3 * len(drawn), 3, 3.3, 2.9)
    for row, condition in enumerate(drawn):
        for axes, pair in zip(panels[3 * row :], combinations(_telling(condition), 2), strict=False):
            shown = _draw_map(axes, condition, pair)
        panels[3 * row].set_title(textwrap.shorten(condition.label, 60), fontsize=10, loc="left")
    figure.colorbar(shown, ax=panels, label="share of seeds that mastered the task", fraction=0.05, aspect=30)
    return figure


def _telling(condition: Condition) -> list[str]:
    """The three parameters along which the share of mastered tasks changes most, in their own order."""
    rows = pd.concat([run.last for run in condition.counted if run.last is not None])
    columns = task_columns_of(condition.counted[0])
    mastered = rows["mastered"].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = {name: abs(np.nan_to_num(np.corrcoef(rows[name], mastered)[0, 1])) for name in columns}
    best = sorted(columns, key=lambda name: -strength[name])[:3]
    return [name for name in columns if name in best]


def draw_marginals(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Along each task parameter: the percentage mastered, and the share of training in its last quarter.

    Raises:
        NothingToDrawError: If all students are simulated.
    """
    bands = comparison.bands
    if bands.empty:
        raise NothingToDrawError("Simulated students are not tested task by task.")
    names = list(dict.fromkeys(bands["parameter"]))
    across = min(len(names), 4)
    down = math.ceil(len(names) / across)
    figure, panels = plots.panels(2 * down * across, across, 2.9 if across > 2 else 4.2, 2.1)
    for index, name in enumerate(names):
        row, column = divmod(index, across)
        pair = [panels[(2 * row + part) * across + column] for part in (0, 1)]
        for condition, (color, dashes) in _styled(comparison):
            own = bands[(bands["condition"] == condition.label) & (bands["parameter"] == name)]
            middles = (own["low"] + own["high"]) / 2
            for axes, values in zip(pair, ("mastered_mean", "trained_4"), strict=True):
                axes.plot(middles, own[values], linestyle=dashes, color=color, marker="o", markersize=3.5)
        for axes, label in zip(pair, ("mastered (%)", "training (%)"), strict=True):
            axes.set_ylim(bottom=0)
            axes.set_ylabel(label if column == 0 else "")
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        pair[1].set_xlabel(name)
    for empty in range(len(names), down * across):
        row, column = divmod(empty, across)
        for part in (0, 1):
            panels[(2 * row + part) * across + column].remove()
    handles = [
        Line2D([], [], linestyle=dashes, color=color, label=_legend(condition, REPORT))
        for condition, (color, dashes) in _styled(comparison)
    ]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9, ncols=4)
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


def draw_profiles(comparison: Comparison, rng: np.random.Generator, page: Page = REPORT) -> Figure:
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
    figure, (axes,) = plots.panels(1, 1, page.width, page.height)
    for condition, (color, dashes) in _styled(comparison):
        reached = (results[condition.label][:, :, None] > levels).mean(axis=1)
        axes.plot(
            levels, 100 * reached.mean(axis=0), linestyle=dashes, color=color, label=_legend(condition, page)
        )
        bottom, top = mean_curve_interval(reached, rng)
        axes.fill_between(levels, 100 * bottom, 100 * top, color=color, alpha=0.18, linewidth=0)
    if all(condition.counted[0].last is None for condition in comparison.counted):
        axes.set(xlabel="mastered (%)", ylabel="runs that master more (%)")
    else:
        axes.set(xlabel="return", ylabel="test episodes with a higher return (%)")
    axes.set(xlim=(levels[0], levels[-1]), ylim=(-1, 101))
    _finish(figure, axes, page)
    return figure


FIGURES: dict[str, Callable[..., Figure]] = {
    "learning_curves": draw_learning_curves,
    "return_curves": draw_return_curves,
    "mastery_maps": draw_mastery_maps,
    "marginals": draw_marginals,
    "significance": draw_significance,
    "performance_profiles": draw_profiles,
}
"""Every figure by its file name. Each takes the comparison and a generator for its intervals."""


def _styled(comparison: Comparison) -> list[tuple[Condition, tuple[str, Dashes]]]:
    """Each condition with the colour of its teacher; of several with one teacher, with lines of their own."""
    styled = []
    for condition in comparison.counted:
        teacher = condition.names["teacher"]
        style = teacher_style(teacher)
        same = sorted(
            other.label
            for other in comparison.counted
            if teacher_style(other.names["teacher"]).color == style.color
        )
        place = same.index(condition.label)
        dashes = DASHES[(DASHES.index(style.dashes) + place) % len(DASHES)]
        # Every second one is lighter.
        red, green, blue = (1 - (1 - part) * (0.6 if place % 2 else 1) for part in to_rgb(style.color))
        styled.append((condition, (to_hex((red, green, blue)), dashes)))
    return styled


def _legend(condition: Condition, page: Page) -> str:
    if page.is_paper:
        return condition.display
    seeds = len(condition.counted)
    # Matplotlib leaves out of its legends what begins with an underscore.
    label = condition.label if not condition.label.startswith("_") else f" {condition.label}"
    return f"{label} ({seeds} seed{'s' if seeds > 1 else ''})"


def _finish(figure: Figure, axes: Axes, page: Page) -> None:
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if page.is_paper:
        figure.legend(loc="outside upper center", frameon=False, fontsize=6.5, ncols=3, columnspacing=1)
    else:
        figure.legend(loc="outside right upper", frameon=False, fontsize=9)


def _p_text(p: float) -> str:
    return "not tested" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _is_plane(condition: Condition) -> bool:
    run = condition.counted[0]
    if run.is_simulated:
        return any(run.competence is not None and run.competence.ndim == 2 for run in condition.counted)
    return len(task_columns_of(run)) == 2


def _draw_map(
    axes: Axes, condition: Condition, pair: Sequence[str] = ()
) -> ScalarMappable | ColorizingArtist:
    """Returns what a colour bar is for."""
    runs = condition.counted
    if runs[0].is_simulated:
        planes = [run.competence for run in runs if run.competence is not None and run.competence.ndim == 2]
        competence = np.mean([plane for plane in planes if plane.shape == planes[0].shape], axis=0)
        axes.set(xlabel="x0", ylabel="x1", aspect="equal")
        return axes.imshow(competence.T, origin="lower", extent=(0, 1, 0, 1), cmap="viridis", vmin=0, vmax=1)
    x, y = pair or task_columns_of(runs[0])
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

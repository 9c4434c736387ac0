"""Figures of a comparison: learning curves, pairwise differences, performance profiles; and a list of all."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..runs import plots
from .comparison import Comparison
from .conditions import Condition
from .figure_style import REPORT, NothingToDrawError, Page, finish, lines_of, shown_names
from .significance import SIGNIFICANCE_LEVEL
from .statistics import FEWEST_SEEDS_OF_AN_INTERVAL, mean_curve_interval
from .task_figures import draw_marginals, draw_mastery_maps, draw_proposal_maps

_PROFILE_POINTS = 201
_MOST_INTERVALS = 5
"""Most intervals between ticks of an axis as wide as a column of a paper."""
_LARGE_CELLS = 10
"""Most conditions whose matrix has room for large cells."""
_LONGEST_NAME, _SHORT_NAME = 50, 15
"""Longest name beside the matrix, and longest name that needs no extra room, in characters."""
_LETTER = 0.08
"""Width of a character, inches."""
_FAINT_DIFFERENCE = 10.0
"""Percentage points that get the full colour of the matrix only if no difference is larger."""


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
    for condition, name, color, dashes in lines_of(comparison, page):
        rows = comparison.curves[comparison.curves["condition"] == condition.label]
        means, margins = rows[f"{prefix}mean"], rows[f"{prefix}margin"]
        marker = "o" if len(rows) == 1 else None
        axes.plot(rows["step"], means, linestyle=dashes, color=color, marker=marker, label=name)
        # With two seeds the interval is too wide to be informative and hides the rest.
        margins = margins.where(rows["seeds"] >= FEWEST_SEEDS_OF_AN_INTERVAL)
        low, high = means - margins, means + margins
        if not prefix:
            low, high = low.clip(0, 100), high.clip(0, 100)
        axes.fill_between(rows["step"], low, high, color=color, alpha=0.18, linewidth=0)
    axes.set(xlabel="training steps", ylabel=label)
    axes.xaxis.set_major_formatter(plots.STEPS)
    if page.is_paper:
        axes.locator_params("x", nbins=_MOST_INTERVALS)
    axes.margins(x=0.01)
    finish(figure, axes, page)
    return figure, axes


def draw_significance(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """For each pair, the row's mean minus the column's; framed if significant.

    Raises:
        NothingToDrawError: If there is no pair of conditions with the same env, budget and test set.
    """
    labels = [condition.label for condition in comparison.drawn]
    if len(labels) < 2:
        raise NothingToDrawError("There is one condition only, so there is no pair to compare.")
    where = {label: index for index, label in enumerate(labels)}
    differences = np.full((len(labels), len(labels)), np.nan)
    is_small = len(labels) > _LARGE_CELLS
    size = max(4.6, 1.6 + (0.6 if is_small else 0.85) * len(labels))
    names = [
        textwrap.shorten(name, _LONGEST_NAME, placeholder="…") for name in shown_names(comparison).values()
    ]
    # Names are beside the cells, and below them at an angle of 30°.
    more = max(0, max(map(len, names)) - _SHORT_NAME) * _LETTER
    figure, (axes,) = plots.panels(1, 1, size + 1.6 + more, size + more / 2)
    pairs = comparison.pairs[comparison.pairs[["condition", "other"]].isin(labels).all(axis=1)]
    if pairs.empty:
        raise NothingToDrawError("No two conditions have the same env, budget and test set.")
    for row in pairs.itertuples():
        i, j = where[str(row.condition)], where[str(row.other)]
        difference, p = float(row.difference), float(row.p_holm)  # type: ignore[arg-type]  # untyped rows
        differences[i, j], differences[j, i] = difference, -difference
        is_sure = p < SIGNIFICANCE_LEVEL
        for x, y, sign in ((j, i, 1), (i, j, -1)):
            # Adding zero turns -0.0 into 0.0.
            text = f"{round(sign * difference, 1) + 0.0:+.1f}\n{_p_text(p)}"
            axes.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                fontsize=7 if is_small else 9,
                weight="bold" if is_sure else None,
            )
            if is_sure:
                frame = plots.rectangle((x - 0.46, y - 0.46), (x + 0.46, y + 0.46))
                axes.plot(*frame.T, color=plots.INK, linewidth=1.3)
    largest = max(float(np.nanmax(np.abs(differences))), _FAINT_DIFFERENCE)
    # With square cells, a large matrix would push the names out of the figure.
    shown = axes.imshow(differences, cmap="BrBG", vmin=-1.6 * largest, vmax=1.6 * largest, aspect="auto")
    axes.set_xticks(range(len(labels)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), names)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(shown, ax=axes, label="row minus column, mastered (%)", fraction=0.046)
    bar.ax.set_ylim(-largest, largest)
    return figure


def draw_profiles(comparison: Comparison, rng: np.random.Generator, page: Page = REPORT) -> Figure:
    """For each level, the share of test episodes (simulated: of runs) that reach it, with a 95% band.

    Performance profiles of Agarwal et al. 2021. A curve that is above another everywhere is better
    everywhere.

    Raises:
        NothingToDrawError: If some students are simulated and others are not.
    """
    if len({condition.counted[0].is_simulated for condition in comparison.drawn}) > 1:
        raise NothingToDrawError("Returns and simulated students' percentages have no common axis.")
    results = {condition.label: _results(condition) for condition in comparison.drawn}
    if comparison.drawn[0].counted[0].is_simulated:
        levels = np.linspace(0, 100, _PROFILE_POINTS)
    else:
        everything = np.concatenate([values.ravel() for values in results.values()])
        low, high = float(everything.min()), float(everything.max())
        margin = 0.02 * (high - low) or 1.0
        levels = np.linspace(low - margin, high + margin, _PROFILE_POINTS)
    figure, (axes,) = plots.panels(1, 1, page.width, page.height)
    for condition, name, color, dashes in lines_of(comparison, page):
        reached = (results[condition.label][:, :, None] > levels).mean(axis=1)
        axes.plot(levels, 100 * reached.mean(axis=0), linestyle=dashes, color=color, label=name)
        if len(reached) >= FEWEST_SEEDS_OF_AN_INTERVAL:
            bottom, top = mean_curve_interval(reached, rng)
            axes.fill_between(levels, 100 * bottom, 100 * top, color=color, alpha=0.18, linewidth=0)
    if all(condition.counted[0].last is None for condition in comparison.drawn):
        axes.set(xlabel="mastered (%)", ylabel="runs that master more (%)")
    else:
        axes.set(xlabel="return", ylabel="test episodes with a higher return (%)")
    axes.set(xlim=(levels[0], levels[-1]), ylim=(-1, 101))
    finish(figure, axes, page)
    return figure


FIGURES: dict[str, Callable[..., Figure]] = {
    "learning_curves": draw_learning_curves,
    "return_curves": draw_return_curves,
    "mastery_maps": draw_mastery_maps,
    "proposal_maps": draw_proposal_maps,
    "marginals": draw_marginals,
    "significance": draw_significance,
    "performance_profiles": draw_profiles,
}
"""Every figure by its file name. Each takes the comparison and a generator for its intervals."""


def _p_text(p: float) -> str:
    return "not tested" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _results(condition: Condition) -> NDArray[np.float64]:
    """Final returns, shape (runs, tasks); percentages mastered of shape (runs, 1) if simulated."""
    tables = [run.last for run in condition.counted if run.last is not None]
    if not tables:
        return condition.scores[:, None]
    return np.stack([table["return"].to_numpy(np.float64) for table in tables])

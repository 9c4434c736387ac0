"""Figures over tasks: mastered tasks, proposed tasks, and both along each parameter."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorizer import ColorizingArtist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..runs import plots
from ..runs.checked_files import DamagedFileError
from .comparison import Comparison
from .conditions import Condition, task_columns_of
from .figure_style import REPORT, NothingToDrawError, bare, lines_of, shown_names
from .study import StudyRun

_ACROSS = 4
"""Maps or parameters per row."""
_MAP_WIDTH, _MAP_HEIGHT = 2.75, 2.5
_PAIR_WIDTH, _PAIR_HEIGHT = 3.55, 2.6
"""Inches; a row is as wide as the report."""
_TITLE_COLUMNS = 30
"""Characters after which a map's title is wrapped."""
_LONGEST_TITLE = 90
_LEGEND_MARK, _LETTER = 0.7, 0.085
"""Widths of a line sample and of a letter in a legend, inches."""
_FEWEST_CELLS, _MOST_CELLS = 8, 24
"""Fewest and most cells along each side of a map of proposals."""
_LOWEST_TOP = 10
"""Lowest upper limit of an axis of percentages."""

Shown = ScalarMappable | ColorizingArtist
"""What a colour bar can describe."""


def draw_mastery_maps(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Which tasks were mastered at the end, and by what share of the seeds.

    Two parameters span a plane. With more, each condition gets a row with the pairs of the three parameters
    along which the share of mastered tasks changes most.

    Raises:
        NothingToDrawError: If no condition has tasks of two or more parameters.
    """
    simulated = all(condition.counted[0].is_simulated for condition in comparison.drawn)
    label = "mean competence" if simulated else "share of seeds"
    return _draw_maps(comparison, _draw_mastery, label)


def draw_proposal_maps(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Which tasks were trained on in the last quarter, by the median seed of each condition.

    Has the layout of `draw_mastery_maps`.

    Raises:
        NothingToDrawError: If no condition has tasks of two or more parameters, or an episode log.
    """
    return _draw_maps(comparison, _draw_proposals, "share of the fullest cell")


def _draw_maps(
    comparison: Comparison,
    draw: Callable[[Axes, Condition, tuple[str, str]], Shown | None],
    label: str,
) -> Figure:
    names = shown_names(comparison)
    columns = {condition.label: _axes_of(condition) for condition in comparison.drawn}
    drawn = [condition for condition in comparison.drawn if len(columns[condition.label]) > 1]
    if not drawn:
        raise NothingToDrawError(
            "Maps need tasks with two or more parameters, and of simulated students their competence."
        )
    has_pairs = any(len(columns[condition.label]) > 2 for condition in drawn)
    if has_pairs:
        drawn = [condition for condition in drawn if len(columns[condition.label]) > 2]
        figure, panels = plots.panels(3 * len(drawn), 3, _PAIR_WIDTH, _PAIR_HEIGHT)
    else:
        figure, panels = plots.panels(len(drawn), _ACROSS, _MAP_WIDTH, _MAP_HEIGHT)
    left = iter(panels)
    shown = None
    for condition in drawn:
        own = columns[condition.label]
        if has_pairs:
            own = _telling([other for other in drawn if columns[other.label] == own], own)
        for number, (x, y) in enumerate(combinations(own, 2)):
            axes = next(left)
            axes.set(xlabel=_label(condition, x), ylabel=_label(condition, y))
            found = draw(axes, condition, (x, y))
            if found is None:
                axes.text(0.5, 0.5, "no episode log", ha="center", transform=axes.transAxes)
            shown = found or shown
            if number == 0:
                title = textwrap.shorten(names[condition.label], _LONGEST_TITLE, placeholder="…")
                axes.set_title(
                    title if has_pairs else textwrap.fill(title, _TITLE_COLUMNS), fontsize=10, loc="left"
                )
    if shown is None:
        raise NothingToDrawError("No run has kept a log of its training episodes.")
    figure.colorbar(shown, ax=panels, label=label, fraction=0.05, aspect=30)
    return figure


def _axes_of(condition: Condition) -> list[str]:
    """The known task parameters of a condition."""
    run = condition.counted[0]
    if run.is_simulated:
        found = _competences(condition)
        return [f"x{axis}" for axis in range(found[0].ndim)] if found else []
    return task_columns_of(run)


def _competences(condition: Condition) -> list[NDArray[np.float64]]:
    """The final competence of a condition's simulated students, for those with the same cells."""
    found = [run.competence for run in condition.counted if run.competence is not None]
    return [competence for competence in found if competence.shape == found[0].shape]


def _telling(conditions: Sequence[Condition], columns: Sequence[str]) -> list[str]:
    """The three parameters along which the share of mastered tasks changes most, in their own order."""
    tables = [run.last for condition in conditions for run in condition.counted if run.last is not None]
    if tables:
        rows = pd.concat(tables)
        mastered = rows["mastered"].astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            strength = {name: abs(np.nan_to_num(np.corrcoef(rows[name], mastered)[0, 1])) for name in columns}
    else:
        means = [np.mean(_competences(condition), axis=0) for condition in conditions]
        strength = {
            name: sum(np.ptp(_along(mean, (axis,))) for mean in means) for axis, name in enumerate(columns)
        }
    best = sorted(columns, key=lambda name: -strength[name])[:3]
    return [name for name in columns if name in best]


def _along(competence: NDArray[np.float64], axes: Sequence[int]) -> NDArray[np.float64]:
    """The mean competence along some axes, in their order."""
    others = tuple(axis for axis in range(competence.ndim) if axis not in axes)
    return np.asarray(competence.mean(axis=others))


def _label(condition: Condition, column: str) -> str:
    return plots.axis_label(column, condition.counted[0].units)


def _draw_mastery(axes: Axes, condition: Condition, pair: tuple[str, str]) -> Shown:
    runs = condition.counted
    if runs[0].is_simulated:
        plane = _along(np.mean(_competences(condition), axis=0), [int(name[1:]) for name in pair])
        axes.set_aspect("equal")
        return axes.imshow(plane.T, origin="lower", extent=(0, 1, 0, 1), cmap="viridis", vmin=0, vmax=1)
    x, y = pair
    rows = pd.concat([run.last for run in runs if run.last is not None])
    tasks = rows.groupby("task_index")[[x, y, "mastered"]].mean()
    style: dict[str, Any] = {"s": 40, "edgecolors": plots.SOFT, "linewidths": 0.5}
    return axes.scatter(tasks[x], tasks[y], c=tasks["mastered"], cmap="viridis", vmin=0, vmax=1, **style)


def _draw_proposals(axes: Axes, condition: Condition, pair: tuple[str, str]) -> Shown | None:
    run = condition.middle
    try:
        episodes = run.directory.read_episodes(["step", *pair])
    except (FileNotFoundError, DamagedFileError, ValueError):
        return None  # the problem is reported where the bands are made
    end = run.mastery.index[-1]
    last = episodes[(episodes["step"] > 0.75 * end) & (episodes["step"] <= end + 1)]
    x, y = (last[name].to_numpy(np.float64) for name in pair)
    cells = int(np.clip(np.sqrt(len(last)), _FEWEST_CELLS, _MOST_CELLS))
    counts, *edges = np.histogram2d(x, y, cells, [_bounds(run, episodes[name]) for name in pair])
    extent = (edges[0][0], edges[0][-1], edges[1][0], edges[1][-1])
    share = counts.T / max(1.0, counts.max())
    return axes.imshow(share, origin="lower", extent=extent, aspect="auto", cmap="Blues", vmin=0, vmax=1)


def _bounds(run: StudyRun, proposed: pd.Series[float]) -> tuple[float, float]:
    """Axis limits of a parameter: they cover the test tasks, which span its range, and the proposals."""
    tested = np.array([0.0, 1.0]) if run.last is None else run.last[proposed.name].to_numpy(np.float64)
    low, high = min(tested.min(), proposed.min()), max(tested.max(), proposed.max())
    return float(low), float(high if high > low else low + 1)


def draw_marginals(comparison: Comparison, rng: np.random.Generator) -> Figure:
    """Along each task parameter: the percentage mastered, and the share of training in its last quarter.

    Raises:
        NothingToDrawError: If all students are simulated.
    """
    bands = comparison.bands
    if bands.empty:
        raise NothingToDrawError("Simulated students are not tested task by task.")
    lines = [line for line in lines_of(comparison, REPORT) if task_columns_of(line.condition.counted[0])]
    own = {
        (label, name): rows for (label, name), rows in bands.groupby(["condition", "parameter"], sort=False)
    }
    names = list(dict.fromkeys(name for line in lines for name in task_columns_of(line.condition.counted[0])))
    down = math.ceil(len(names) / _ACROSS)
    across = math.ceil(len(names) / down)
    figure, panels = plots.panels(2 * down * across, across, max(2.85, min(4.6, 11.4 / across)), 2.2)
    units = {name: unit for line in lines for name, unit in line.condition.counted[0].units.items()}
    for place in range(down * across):
        row, column = divmod(place, across)
        pair = [panels[(2 * row + part) * across + column] for part in (0, 1)]
        if place >= len(names):
            for axes in pair:
                axes.remove()
            continue
        for axes, values, label in zip(
            pair, ("mastered_mean", "trained_4"), ("mastered (%)", "training (%)"), strict=True
        ):
            for line in lines:
                rows = own.get((line.condition.label, names[place]))
                if rows is not None:
                    middles = (rows["low"] + rows["high"]) / 2
                    style: dict[str, Any] = {"marker": "o", "markersize": 3.5}
                    axes.plot(middles, rows[values], linestyle=line.dashes, color=line.color, **style)
            axes.set_ylim(0, max(_LOWEST_TOP, axes.get_ylim()[1]))
            axes.set_ylabel(label if column == 0 else "")
            bare(axes)
        pair[1].set_xlabel(plots.axis_label(names[place], units))
    handles = [Line2D([], [], linestyle=line.dashes, color=line.color, label=line.name) for line in lines]
    longest = max(len(part) for line in lines for part in line.name.split("\n"))
    columns = max(1, int(figure.get_figwidth() / (_LEGEND_MARK + _LETTER * longest)))
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=10, ncols=columns)
    return figure

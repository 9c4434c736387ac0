"""Draws the pictures of a run from its files: its curriculum, and what its teacher proposed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..envs.task_space import RESERVED_NAMES
from ..teachers.focus import FocusBox
from . import plots
from .printable import printable
from .run_directory import RunDirectory, units_in
from .snapshots import Snapshot, read_snapshots
from .video import Frame, write_video
from .whole_files import replacing

_STILL_MOMENTS = 4
_MOST_COLUMNS = 4
"""Most task parameters for which all pairs are drawn; with more, panels would be too small to read."""
_BESIDE = 0.03
"""Distance of the columns of test tasks from the end of training, as a share of the training steps."""
_LONGEST_NAME = 60
"""Longest name in a title, in characters."""
_ANIMATION_DPI = 80
_FRAMES_PER_SECOND = 3


def task_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a log of episodes or evaluations that make up the task."""
    return [name for name in table.columns if name not in RESERVED_NAMES]


@plots.names_as_text()
def draw_curriculum(directory: RunDirectory) -> None:
    """Draw learning curve, tasks proposed over time and tasks mastered to the run's `curriculum.png`.

    Args:
        directory: A run with at least one evaluation and one finished episode; otherwise nothing is drawn.
    """
    try:
        episodes = directory.read_episodes()
    except FileNotFoundError:
        return
    columns = task_columns(episodes)
    labels = _labels(directory, columns)
    evaluations = directory.read_evaluations()
    last = evaluations[evaluations["step"] == evaluations["step"].max()]
    tested = last if "task_index" in last else None
    if len(columns) == 2:
        figure, (curve, proposals, *mastery) = plots.panels(2 if tested is None else 3, 3, 5, 4.5)
        _draw_by_step(figure, [proposals], episodes, [(columns[0], columns[1])], labels)
        proposals.set_title(f"{len(episodes):,} training tasks")
        if tested is not None:
            _draw_mastery(mastery[0], tested, columns, labels)
            mastery[0].sharex(proposals)
            mastery[0].sharey(proposals)
    else:
        width, height = (5, 4.5) if len(columns) < 3 else (4.2, 2.8)
        figure, (curve, *marginals) = plots.panels(1 + len(columns), 3, width, height)
        for column, panel in zip(columns, marginals, strict=True):
            _draw_marginal(panel, episodes, tested, column, labels[column])
        entries = {"training tasks": plots.RANDOM} | (
            {}
            if tested is None
            else {"test tasks mastered": plots.MASTERED, "not mastered": plots.NOT_MASTERED}
        )
        plots.legend(figure, entries, 6, loc="outside lower center")
    _draw_learning_curve(curve, directory)
    figure.suptitle(_title(directory))
    _save(figure, directory.figure, 110)


@plots.names_as_text()
def draw_teacher(directory: RunDirectory) -> list[str]:
    """Draw the tasks the teacher proposed: a still, and an animation if tasks have two parameters.

    In two dimensions each frame shows the tasks proposed since the last one, the boxes or Gaussians the
    teacher drew from (the more probable, the darker) and, for a simulated student, its competence
    underneath. In one dimension the still shows tasks and boxes or Gaussians over time, in more dimensions
    the pairs of the first four parameters, coloured by time.

    Args:
        directory: A run with an episode log.

    Returns:
        The names of the written files.

    Raises:
        FileNotFoundError: If the run has logged no episode.
    """
    episodes = directory.read_episodes()
    columns = task_columns(episodes)
    if len(columns) != 2:
        draw = _over_time if len(columns) == 1 else _pairs
        _save(draw(directory, episodes, columns), directory.still, 100)
        return [directory.still.name]
    moments = _Moments(directory, episodes, columns)
    _save(moments.still(), directory.still, 100)
    with replacing(directory.animation) as file:
        write_video(moments.frames(), file, _FRAMES_PER_SECOND)
    return [directory.still.name, directory.animation.name]


def _over_time(directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]) -> Figure:
    """Tasks with a single parameter, and the teacher's focus, over training steps."""
    snapshots = read_snapshots(directory.snapshots) if directory.snapshots.exists() else []
    figure, (axes,) = plots.panels(1, 1, 9, 4.4)
    is_random = (episodes["source"] == "random").to_numpy()
    plots.scatter(axes, plots.proposal_layers(episodes[["step", *columns]].to_numpy(), is_random), 2)
    low, high = _ends(directory, episodes, columns)
    axes.set_ylim(low[0], high[0])
    outlines = [
        (part.weight, plots.rectangle((before.step, low), (now.step, high)))
        for before, now in pairwise(snapshots)
        for part in before.focus
        for low, high in [plots.extent(part)[:, 0]]
    ]
    plots.trace(axes, outlines, 1.6)
    axes.set_ylabel(_labels(directory, columns)[columns[0]])
    plots.count_steps(axes)
    figure.suptitle(_title(directory))
    plots.legend(figure, _entries(snapshots), 6, loc="outside lower center")
    return figure


def _pairs(directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]) -> Figure:
    """Tasks with many parameters, as planes of two."""
    pairs = list(combinations(columns[:_MOST_COLUMNS], 2))
    figure, panels = plots.panels(len(pairs), 3, 4.6, 4.2)
    _draw_by_step(figure, panels, episodes, pairs, _labels(directory, columns))
    ends = dict(zip(columns, zip(*_ends(directory, episodes, columns), strict=True), strict=True))
    for axes, (x, y) in zip(panels, pairs, strict=True):
        axes.update_datalim(list(zip(ends[x], ends[y], strict=True)))
        axes.autoscale_view()
    which = f"  ·  first {_MOST_COLUMNS} of {len(columns)} parameters" if len(columns) > _MOST_COLUMNS else ""
    figure.suptitle(_title(directory) + which)
    return figure


def _ends(
    directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axis limits for tasks: they cover the training tasks, and the test tasks, which span the task space."""
    tested = directory.read_evaluations()
    is_tested = set(columns) <= set(tested)  # tasks of simulated students lie in the unit cube
    spanning = tested[columns].to_numpy() if is_tested else [np.zeros(len(columns)), np.ones(len(columns))]
    tasks = np.concatenate([episodes[columns].to_numpy(), spanning])
    return tasks.min(axis=0), tasks.max(axis=0)


def _entries(snapshots: Sequence[Snapshot]) -> dict[str, str]:
    """Labels and colours of the legend of a teacher's picture."""
    entries = {"random tasks": plots.RANDOM, "chosen tasks": plots.CHOSEN}
    parts = [part for snapshot in snapshots for part in snapshot.focus]
    if parts:
        entries["boxes" if isinstance(parts[0], FocusBox) else "Gaussians"] = plots.FOCUS
    if any(snapshot.competence is not None for snapshot in snapshots):
        entries["competence"] = plots.MASTERED
    return entries


class _Moments:
    """The evaluations of a run with two-dimensional tasks, and the tasks proposed before each."""

    def __init__(self, directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]) -> None:
        self._title = _title(directory)
        self._episodes = episodes
        self._columns = columns
        self._labels = _labels(directory, columns)
        self._snapshots = read_snapshots(directory.snapshots)
        self._mastery = directory.read_mastery()
        self._low, self._high = _ends(directory, episodes, columns)

    def still(self) -> Figure:
        last = len(self._snapshots) - 1
        shown = sorted({round(last * i / _STILL_MOMENTS) for i in range(1, _STILL_MOMENTS + 1)} - {0})
        figure, panels = plots.panels(len(shown), len(shown), 4.2, 4.6)
        for axes, moment in zip(panels, shown, strict=True):
            self._draw(axes, moment)
        figure.suptitle(self._title)
        plots.legend(figure, _entries(self._snapshots), 6, loc="outside lower center")
        return figure

    def frames(self) -> Iterator[Frame]:
        figure, (axes,) = plots.panels(1, 1, 5, 5.4)
        figure.set_dpi(_ANIMATION_DPI)
        figure.suptitle(self._title)
        for moment in range(1, len(self._snapshots)):
            axes.clear()
            self._draw(axes, moment)
            yield plots.pixels(figure)

    def _draw(self, axes: Axes, moment: int) -> None:
        before, now = self._snapshots[moment - 1], self._snapshots[moment]
        if now.competence is not None:
            style: dict[str, Any] = {"cmap": plots.COMPETENCE, "vmin": 0, "vmax": 1.4, "aspect": "auto"}
            axes.imshow(now.competence.T, origin="lower", extent=(0, 1, 0, 1), **style)
        steps = self._episodes["step"]
        recent = self._episodes[(steps > before.step) & (steps <= now.step)]
        tasks, is_random = recent[self._columns].to_numpy(), (recent["source"] == "random").to_numpy()
        plots.scatter(axes, plots.proposal_layers(tasks, is_random), 2)
        plots.trace(axes, [(part.weight, plots.outline(part)) for part in before.focus], 1.6)
        axes.set_xlim(self._low[0], self._high[0])
        axes.set_ylim(self._low[1], self._high[1])
        x, y = (self._labels[name] for name in self._columns)
        mastered = self._mastery.get(now.step, float("nan"))
        axes.set(xlabel=x, ylabel=y, title=f"{now.step:,} steps, {mastered:.0f}% mastered")


def _labels(directory: RunDirectory, columns: Sequence[str]) -> dict[str, str]:
    """Axis labels by column."""
    units = units_in(directory.read_summary() or {})
    return {name: plots.axis_label(name, units) for name in columns}


def _title(directory: RunDirectory) -> str:
    summary = directory.read_summary() or {}
    return "  ·  ".join(printable(summary.get(key), _LONGEST_NAME) for key in ("env", "teacher", "student"))


def _save(figure: Figure, path: Path, dpi: int) -> None:
    with replacing(path) as file:
        figure.savefig(file, dpi=dpi)


def _draw_learning_curve(axes: Axes, directory: RunDirectory) -> None:
    mastery = directory.read_mastery()
    axes.plot(mastery.index, mastery.to_numpy(), marker="o", color=plots.MASTERED, clip_on=False)
    axes.set(ylabel="mastered (%)", ylim=(0, 100), title="Learning curve")
    plots.count_steps(axes)
    axes.grid(alpha=0.3)


def _draw_by_step(
    figure: Figure,
    panels: list[Axes],
    episodes: pd.DataFrame,
    pairs: list[tuple[str, str]],
    labels: Mapping[str, str],
) -> None:
    """Pairs of columns, coloured by training steps."""
    for axes, (x, y) in zip(panels, pairs, strict=True):
        points = axes.scatter(episodes[x], episodes[y], c=episodes["step"], s=7, cmap="viridis", linewidths=0)
        axes.set(xlabel=labels[x], ylabel=labels[y])
    figure.colorbar(points, ax=panels, label="training steps", format=plots.STEPS)


def _draw_mastery(axes: Axes, tested: pd.DataFrame, columns: list[str], labels: Mapping[str, str]) -> None:
    layers = plots.mastery_layers(tested[columns].to_numpy(), tested["mastered"].to_numpy(bool))
    plots.scatter(axes, layers, 6.5)
    x, y = (labels[name] for name in columns)
    axes.set(xlabel=x, ylabel=y, title=f"Test tasks after {tested['step'].iloc[0]:,} steps")
    entries = {f"{layer.word} ({len(layer.tasks)})": layer.color for layer in reversed(layers)}
    plots.legend(axes, entries, 7, loc="upper center", bbox_to_anchor=(0.5, -0.13))


def _draw_marginal(
    axes: Axes, episodes: pd.DataFrame, tested: pd.DataFrame | None, column: str, label: str
) -> None:
    axes.scatter(episodes["step"], episodes[column], s=4, color=plots.RANDOM, linewidths=0)
    if tested is not None:
        # Side by side, because mastered and other tasks overlap when projected on one of several parameters.
        beside = _BESIDE * tested["step"].iloc[0]
        layers = plots.mastery_layers(tested[["step", column]].to_numpy(), tested["mastered"].to_numpy(bool))
        for place, layer in enumerate(reversed(layers), start=1):
            x, y = layer.tasks.T
            axes.scatter(x + place * beside, y, s=22, color=layer.color, linewidths=0, zorder=3)
    axes.set_ylabel(label)
    plots.count_steps(axes)

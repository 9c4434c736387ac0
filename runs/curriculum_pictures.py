"""What a teacher proposed and why, moment by moment: an animation and a still, from a run's files alone."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch, Rectangle
from numpy.typing import NDArray

from ..teachers.focus import FocusBox, FocusGaussian
from .figures import STEPS, task_columns, title_of
from .run_directory import RunDirectory
from .snapshots import Snapshot, read_snapshots
from .whole_files import replacing

_STILL_MOMENTS = 4
_MOST_COLUMNS = 4
"""Task parameters of which all pairs are drawn; more would make panels too small to read."""

_RANDOM, _CHOSEN, _FOCUS = "#7f7f7f", "#d95f02", "#1f4e9c"


def draw_pictures(directory: RunDirectory) -> list[str]:
    """Draw the run's still, and its animation if its tasks have two parameters.

    In two dimensions each moment shows the tasks proposed since the last one, the boxes or Gaussians the
    teacher drew from (the darker, the more probable) and, for a simulated student, its competence
    underneath. In more dimensions the still shows pairs of parameters, coloured by time.

    Args:
        directory: A run with an episode log.

    Returns:
        The names of the files that were written.

    Raises:
        FileNotFoundError: If the run has logged no episode.
    """
    episodes = directory.read_episodes()
    columns = task_columns(episodes)
    if len(columns) != 2:
        _draw_pairs(directory, episodes, columns[:_MOST_COLUMNS])
        return [directory.still.name]
    film = _Film(directory, episodes, columns)
    film.draw_still()
    film.draw_animation()
    return [directory.still.name, directory.animation.name]


class _Film:
    """The moments of a run with two-dimensional tasks."""

    def __init__(self, directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]) -> None:
        self._directory = directory
        self._episodes = episodes
        self._columns = columns
        self._snapshots = read_snapshots(directory.snapshots)
        self._mastery = directory.read_mastery()
        tasks = episodes[columns].to_numpy()
        self._low, self._high = tasks.min(axis=0), tasks.max(axis=0)

    def draw_still(self) -> None:
        last = len(self._snapshots) - 1
        moments = sorted({round(last * i / _STILL_MOMENTS) for i in range(1, _STILL_MOMENTS + 1)} - {0})
        figure = Figure(figsize=(4.2 * len(moments), 4.6), layout="constrained")
        for axes, moment in zip(figure.subplots(1, len(moments), squeeze=False)[0], moments, strict=True):
            self._draw(axes, moment)
        figure.suptitle(title_of(self._directory))
        with replacing(self._directory.still) as file:
            figure.savefig(file, dpi=100)

    def draw_animation(self) -> None:
        figure = Figure(figsize=(5, 5.4), layout="constrained")
        axes = figure.subplots()
        figure.suptitle(title_of(self._directory))

        def draw(moment: int) -> list[Axes]:
            axes.clear()
            self._draw(axes, moment)
            return [axes]

        animation = FuncAnimation(figure, draw, frames=range(1, len(self._snapshots)))
        with replacing(self._directory.animation) as file:
            animation.save(file, PillowWriter(fps=3), dpi=80)

    def _draw(self, axes: Axes, moment: int) -> None:
        before, now = self._snapshots[moment - 1], self._snapshots[moment]
        x, y = self._columns
        if now.competence is not None:
            axes.imshow(
                now.competence.T, origin="lower", extent=(0, 1, 0, 1), cmap="Greens", vmin=0, vmax=1.4
            )
        is_recent = (self._episodes["step"] > before.step) & (self._episodes["step"] <= now.step)
        recent = self._episodes[is_recent]
        is_random = recent["source"] == "random"
        for rows, color in ((recent[is_random], _RANDOM), (recent[~is_random], _CHOSEN)):
            axes.scatter(rows[x], rows[y], s=4, color=color, alpha=0.6, linewidths=0)
        for patch in _patches(before):
            axes.add_patch(patch)
        axes.set_xlim(self._low[0], self._high[0])
        axes.set_ylim(self._low[1], self._high[1])
        mastered = self._mastery.get(now.step, float("nan"))
        axes.set(xlabel=x, ylabel=y, title=f"{now.step:,} steps, {mastered:.0f}% mastered")


def _patches(snapshot: Snapshot) -> list[Patch]:
    """The teacher's boxes, and its Gaussians out to two standard deviations."""
    highest = max((part.weight for part in snapshot.focus), default=1.0) or 1.0
    patches: list[Patch] = []
    for part in snapshot.focus:
        strength = 0.15 + 0.85 * part.weight / highest
        style: dict[str, Any] = {"fill": False, "edgecolor": (_FOCUS, strength), "linewidth": 1.6}
        if isinstance(part, FocusBox):
            width, height = part.high - part.low
            patches.append(Rectangle((part.low[0], part.low[1]), width, height, **style))
        elif isinstance(part, FocusGaussian):
            patches.append(_ellipse(part.mean, part.covariance, style))
    return patches


def _ellipse(mean: NDArray[np.float64], covariance: NDArray[np.float64], style: dict[str, Any]) -> Ellipse:
    variances, axes = np.linalg.eigh(covariance)
    width, height = 4 * np.sqrt(variances)
    angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    return Ellipse((mean[0], mean[1]), width, height, angle=angle, **style)


def _draw_pairs(directory: RunDirectory, episodes: pd.DataFrame, columns: list[str]) -> None:
    pairs = list(combinations(columns, 2)) or [("step", columns[0])]
    across = min(3, len(pairs))
    down = -(-len(pairs) // across)
    figure = Figure(figsize=(4.6 * across, 4.2 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (x, y) in zip(panels, pairs, strict=False):
        points = axes.scatter(episodes[x], episodes[y], c=episodes["step"], s=3, cmap="viridis")
        axes.set(xlabel=x, ylabel=y)
    for axes in panels[len(pairs) :]:
        axes.set_axis_off()
    figure.colorbar(points, ax=panels.tolist(), label="training steps", format=STEPS)
    figure.suptitle(title_of(directory))
    with replacing(directory.still) as file:
        figure.savefig(file, dpi=100)

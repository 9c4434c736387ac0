"""Draws a sheet of sample tracks that shows what the tasks of a walker env look like."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ..envs.task_space import Task, TaskSpace
from ..envs.walkers.track import GROUND_LEVEL, START_X, Track
from ..envs.walkers.track_difficulty import HARDEST, difficulty_color, ground_difficulty, obstacle_difficulty
from ..envs.walkers.walker_body import WalkerBody
from ..envs.walkers.walker_drawing import FAR_LEG, GROUND, HULL, NEAR_LEG, SKY, far_and_near_parts, placed
from ..envs.walkers.walker_env import WalkerEnv
from ..evaluation.task_sets import graded_task
from ..runs.plots import INK, times

SHEET_SUFFIXES = (".png", ".pdf", ".svg")
"""File formats of a sheet."""

_LEFT = 0.0
"""Start of the shown section of a track, metres."""
_BELOW, _ABOVE = 0.9, 0.5
"""Least ground below the lowest and sky above the highest object shown, metres."""
_DEEPEST, _HIGHEST = GROUND_LEVEL - 9, GROUND_LEVEL + 11
"""Anything beyond these heights is cut off, metres."""
_HIP, _KNEE = 0.45, -0.35
"""Joint angles of the drawn walker, radians; the far legs are set back by the same angles."""
_WIDTH = 16.0
"""Width of the sheet, inches."""
_LABEL_COLUMNS = 110
"""Characters after which a long label is wrapped."""


@dataclass(frozen=True)
class _Sample:
    """A task, its track, and its label."""

    label: str
    track: Track


def draw_track_sheet(env: WalkerEnv, path: Path, seed: int = 0) -> None:
    """Draw the starts of tracks from all over an env's task space, to scale, with the walker.

    Tasks with two parameters form a grid, from easy to hard; those with one, a column. For larger task
    spaces the sheet shows twelve random tasks, ordered by the size of their obstacles.

    Args:
        env: The env that makes the tracks; its current episode is lost.
        path: The picture to write; its suffix determines the format (PNG, PDF, SVG).
        seed: Seeds the random tasks, and the episode of each.
    """
    rows, metres = _choose_samples(env, seed)
    extents = [_extent([sample.track for sample in row], env.body, _LEFT + metres) for row in rows]
    columns = len(rows[0])
    scale = _WIDTH / (columns * (metres + 1))
    heights = [high - low for low, high in extents]
    label_lines = 1 + max(sample.label.count("\n") for row in rows for sample in row)
    size = (_WIDTH, scale * sum(heights) + (0.15 + 0.18 * label_lines) * len(rows) + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    grid: NDArray[Any] = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for row, panels, (low, high) in zip(rows, grid, extents, strict=True):
        for sample, axes in zip(row, panels, strict=True):
            _draw_track(axes, sample.track, env.body)
            axes.set(xlim=(_LEFT, _LEFT + metres), ylim=(low, high), aspect="equal")
            axes.set_xticks(np.arange(5, metres - 1, 5))
            axes.set_title(sample.label, fontsize=9, loc="left", color=INK, pad=3)
            axes.tick_params(labelbottom=row is rows[-1])
    name = type(env).__name__
    figure.suptitle(f"{name} · walker {env.body.name} · the first {metres:.0f} m of each track", color=INK)
    _add_scale(figure, list(grid.ravel()))
    figure.savefig(path, dpi=110)


def _choose_samples(env: WalkerEnv, seed: int) -> tuple[list[list[_Sample]], float]:
    """Rows of samples, and the length of each to show, in metres."""
    space = env.task_space

    def sample(task: Task) -> _Sample:
        env.reset(seed=seed, options={"task": task})
        return _Sample(_label(space, task), env.track)

    if space.dim == 1:
        return [[sample(graded_task(space, hardness))] for hardness in np.linspace(0, 1, 6)], 48.0
    if space.dim == 2:
        down, across = np.linspace(0, 1, 5), np.linspace(0, 1, 3)
        return [[sample(graded_task(space, (a, b))) for b in across] for a in down], 24.0
    samples = [sample(task) for task in space.sample(np.random.default_rng(seed), 12)]
    samples.sort(key=lambda sample: _measure(sample.track, env.body))
    return [samples[i : i + 2] for i in range(0, 12, 2)], 36.0


def _label(space: TaskSpace, task: Task) -> str:
    if space.dim > 4:
        values = space.to_dict(task)
        parts = (
            "\N{NO-BREAK SPACE}".join([name, *(f"{value:.1f}" for value in np.atleast_1d(values[name]))])
            for name in space.names
        )
        return textwrap.fill("   ".join(parts), _LABEL_COLUMNS)
    named = zip(space.columns, task.tolist(), strict=True)
    return "      ".join(
        f"{name} {value:.3g} {times(space.units.get(name, ''))}".rstrip() for name, value in named
    )


def _measure(track: Track, body: WalkerBody) -> float:
    return float(obstacle_difficulty(track, body).sum() + ground_difficulty(track, body).sum())


def _extent(tracks: list[Track], body: WalkerBody, right: float) -> tuple[float, float]:
    """Lowest and highest point shown by a row of panels, metres."""
    lows, highs = [GROUND_LEVEL], [GROUND_LEVEL + body.spawn_height + 0.5]
    for track in tracks:
        for points in (track.ground, *track.obstacles):
            heights = points[points[:, 0] <= right, 1]
            if len(heights):
                lows.append(float(heights.min()))
                highs.append(float(heights.max()))
    return max(min(lows) - _BELOW, _DEEPEST), min(max(highs) + _ABOVE, _HIGHEST)


def _draw_track(axes: Axes, track: Track, body: WalkerBody) -> None:
    axes.set_facecolor(_rgb(SKY))
    colors = difficulty_color(obstacle_difficulty(track, body)) / 255
    axes.add_collection(
        PolyCollection(list(track.obstacles), facecolors=colors, edgecolors=INK, linewidths=0.5)
    )
    x, y = track.ground.T
    axes.fill_between(x, y, min(float(y.min()), _DEEPEST) - 1, color=_rgb(GROUND), linewidth=0)
    axes.plot(x, y, color=INK, linewidth=0.9)
    steepness = ground_difficulty(track, body)
    steep = np.flatnonzero(steepness)
    edges = np.stack([track.ground[:-1], track.ground[1:]], axis=1)[steep]
    axes.add_collection(
        LineCollection(list(edges), colors=difficulty_color(steepness[steep]) / 255, linewidths=2.2)
    )
    _draw_walker(axes, body)
    axes.set_yticks([])
    axes.tick_params(labelsize=7, length=2, colors=INK)
    axes.xaxis.set_major_formatter("{x:.0f} m")
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_walker(axes: Axes, body: WalkerBody) -> None:
    far, near = far_and_near_parts(body)
    poses = _stride(body)
    for parts, color in ((far, FAR_LEG), ([0], HULL), (near, NEAR_LEG)):
        shapes = [placed(body.parts[index].vertices, poses[index]) for index in parts]
        axes.add_collection(
            PolyCollection(shapes, facecolors=[_rgb(color)], edgecolors=INK, linewidths=0.5, zorder=3)
        )


def _stride(body: WalkerBody) -> NDArray[np.float64]:
    """A walker in mid-stride at its starting position: x, y, angle of each part, shape (n, 3)."""
    _, near = far_and_near_parts(body)
    poses = np.zeros((len(body.parts), 3))
    for joint in body.joints:
        wanted = (_HIP if joint.child in near else -_HIP) if joint.parent == 0 else _KNEE
        angle = poses[joint.parent, 2] + min(max(wanted, joint.lower), joint.upper)
        hinge = placed([joint.parent_anchor], poses[joint.parent])[0]
        poses[joint.child] = (*(hinge - placed([joint.child_anchor], (0, 0, angle))[0]), angle)
    lowest = min(
        placed(part.vertices, pose)[:, 1].min() for part, pose in zip(body.parts, poses, strict=True)
    )
    poses[:, :2] += (START_X, GROUND_LEVEL - lowest)
    return poses


def _add_scale(figure: Figure, panels: list[Axes]) -> None:
    colors = ListedColormap(difficulty_color(np.linspace(0, HARDEST, 256)) / 255)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, HARDEST), colors),
        ax=panels,
        location="bottom",
        fraction=0.02,
        aspect=60,
        shrink=0.7,
        pad=0.01,
        extend="max",
    )
    bar.set_label("height of an obstacle, in heights of the walker's knees", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)


def _rgb(color: ArrayLike) -> tuple[float, float, float]:
    red, green, blue = np.asarray(color, np.float64) / 255
    return float(red), float(green), float(blue)

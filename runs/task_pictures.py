"""Small pictures of a task space for TensorBoard: proposed and mastered tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..envs.task_space import Task, TaskSpace
from ..evaluation.evaluation import Evaluation
from ..teachers.focus import Focus, FocusBox
from . import plots
from .video import Frame

_WIDTH = 350
"""Width of a picture in TensorBoard. All lengths here are in pixels."""
_PLANE = 284
_STRIP_WIDTH, _STRIP_HEIGHT, _STRIP_PITCH = 190, 30, 46
_MOST_STRIPS = 16
_MARGIN, _TOP, _RIGHT = 14, 50, 20
_UNIT_HEIGHT = 14
_LONGEST_NAME = 21
"""In characters."""
_MANY_POINTS = 200
_MOST_ON_STRIPS = 300
_GOLDEN = (np.sqrt(5) - 1) / 2


def draw_proposals(
    space: TaskSpace, step: int, tasks: Task, is_random: NDArray[np.bool_], focus: Sequence[Focus]
) -> Frame:
    """Draw the tasks that a teacher proposed, and its current focus: the more probable, the darker.

    Two parameters span a plane; otherwise each parameter has a strip, with points scattered vertically.

    Args:
        space: The task space.
        step: Training steps so far.
        tasks: Proposed tasks, shape (n, d), oldest first.
        is_random: Which of them the teacher drew from the whole space, shape (n,).
        focus: The teacher's boxes and Gaussians.
    """
    if space.dim != 2:
        tasks, is_random = tasks[-_MOST_ON_STRIPS:], is_random[-_MOST_ON_STRIPS:]
    title = f"Last {len(tasks):,} tasks after {step:,} steps"
    layers = plots.proposal_layers(tasks, is_random)
    return _draw(space, title, layers, focus, 3.4 if len(tasks) > _MANY_POINTS else 5.2)


def draw_evaluation(space: TaskSpace, evaluation: Evaluation) -> Frame | None:
    """Draw an evaluation: the test tasks that are mastered, or the competence of a simulated student.

    Args:
        space: The task space.
        evaluation: The evaluation.

    Returns:
        The picture; None if a simulated student does not report its competence.
    """
    title = f"{evaluation.mastered_percent:.0f}% mastered after {evaluation.step:,} steps"
    if evaluation.results:
        played = np.stack([row.task for row in evaluation.results])
        mastered = np.array([row.mastered for row in evaluation.results])
        return draw_mastery(space, title, played, mastered)
    if evaluation.competence is not None:
        return draw_competence(space.columns, title, evaluation.competence)
    return None


def draw_mastery(space: TaskSpace, title: str, tasks: Task, mastered: NDArray[np.bool_]) -> Frame:
    """Draw which test tasks are mastered.

    Args:
        space: The task space.
        title: Title of the picture.
        tasks: Test tasks, shape (n, d).
        mastered: Which of them are mastered, shape (n,).
    """
    return _draw(space, title, plots.mastery_layers(tasks, mastered), (), 8)


def draw_competence(names: Sequence[str], title: str, competence: NDArray[np.float64]) -> Frame:
    """Draw a simulated student's competence in shades of green; beyond two dimensions, its means along each.

    Args:
        names: Names of the parameters, one for each axis of the competence.
        title: Title of the picture.
        competence: Competence in [0, 1], with one axis per parameter.
    """
    dim = competence.ndim
    figure, axes = _picture(names[:dim], np.zeros(dim), np.ones(dim), title, {"competence": plots.MASTERED})
    if dim == 2:
        _shade(axes, competence.T, (0, 1, 0, 1))
    else:
        for axis in range(min(dim, _MOST_STRIPS)):
            others = tuple(i for i in range(dim) if i != axis)
            _shade(
                axes, competence.mean(axis=others)[None], (0, 1, axis + _STRIP_HEIGHT / _STRIP_PITCH, axis)
            )
    return plots.pixels(figure)


def _draw(
    space: TaskSpace, title: str, layers: Sequence[plots.Layer], focus: Sequence[Focus], size: float
) -> Frame:
    entries = {f"{layer.word} {len(layer.tasks)}": layer.color for layer in layers}
    if focus:
        kind = "boxes" if isinstance(focus[0], FocusBox) else "Gaussians"
        entries[f"{kind} {len(focus)}"] = plots.FOCUS
    figure, axes = _picture(space.columns, space.low, space.high, title, entries, space.units)
    if space.dim == 2:
        outlines = [(part.weight, plots.outline(part)) for part in focus]
    else:
        strips = range(min(space.dim, _MOST_STRIPS))
        layers = [
            layer._replace(tasks=_on_strips(space.normalize(layer.tasks), len(strips))) for layer in layers
        ]
        ends = [(part.weight, space.normalize(plots.extent(part)).clip(0, 1)) for part in focus]
        outlines = [
            (weight, _box(part[0, strip], part[1, strip], strip, 0.04))
            for weight, part in ends
            for strip in strips
        ]
    plots.scatter(axes, layers, size)
    plots.trace(axes, outlines, 2, opaque=True)
    return plots.pixels(figure)


def _on_strips(unit: NDArray[np.floating], strips: int) -> NDArray[np.float64]:
    """Points of the unit cube on every strip: along it by value, scattered across it by the golden ratio."""
    across = 0.9 - 0.8 * (np.arange(len(unit)) * _GOLDEN % 1)
    y = np.arange(strips)[:, None] + across * _STRIP_HEIGHT / _STRIP_PITCH
    return np.stack([unit[:, :strips].T.ravel(), y.ravel()], axis=1)


def _box(low: float, high: float, strip: int, inset: float = 0.0) -> plots.Line:
    top, bottom = (strip + share * _STRIP_HEIGHT / _STRIP_PITCH for share in (inset, 1 - inset))
    return plots.rectangle((low, top), (high, bottom))


def _shade(axes: Axes, rows: NDArray[np.float64], extent: tuple[float, float, float, float]) -> None:
    """Fill a part of the axes with cells, the first row at the bottom."""
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(rows, cmap=plots.COMPETENCE, vmin=0, vmax=1, extent=extent, origin="lower", aspect="auto")
    axes.set(xlim=limits[0], ylim=limits[1])


@plots.names_as_text()
def _picture(
    names: Sequence[str],
    low: NDArray[Any],
    high: NDArray[Any],
    title: str,
    entries: Mapping[str, str],
    units: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Figure, Axes]:
    """A figure with a plane, or one strip for each parameter.

    Returns:
        The figure, and its axes, in which strip k spans (0, k) to (1, k + 0.65), downwards; separate axes for
        each strip would take half a second.
    """
    dim, plane = len(names), len(names) == 2
    strips = min(dim, _MOST_STRIPS)
    width, height = (_PLANE, _PLANE) if plane else (_STRIP_WIDTH, strips * _STRIP_PITCH)
    total = _TOP + height + (36 if plane else 6)
    # At 72 dots per inch a point, matplotlib's unit of length, equals a pixel.
    figure = Figure(figsize=((_WIDTH + 0.01) / 72, (total + 0.01) / 72), dpi=72)
    left = _WIDTH - _RIGHT - width
    axes = figure.add_axes((left / _WIDTH, 1 - (_TOP + height) / total, width / _WIDTH, height / total))
    axes.set(xticks=[], yticks=[])

    def write(x: float, y: float, words: str, size: float, color: str = plots.SOFT, **style: Any) -> None:
        figure.text(x / _WIDTH, 1 - y / total, words, size=size, color=color, **style)

    write(_MARGIN, 7, title, 13, plots.INK, va="top")
    place = {"loc": "center left", "bbox_to_anchor": (_MARGIN / _WIDTH, 1 - 35 / total)}
    plots.legend(
        figure, entries, 8, fontsize=11, labelcolor=plots.SOFT, borderaxespad=0, borderpad=0, **place
    )
    if plane:
        bottom, right = _TOP + height, left + width
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axes.spines[:].set_color(plots.FRAME)
        write(left, bottom + 6, f"{low[0]:g}", 11, va="top")
        write(
            left + width / 2,
            bottom + 6,
            plots.axis_label(names[0], units),
            12,
            plots.INK,
            ha="center",
            va="top",
        )
        write(right, bottom + 6, f"{high[0]:g}", 11, ha="right", va="top")
        write(left - 6, bottom, f"{low[1]:g}", 11, ha="right", va="bottom")
        write(left - 6, _TOP, f"{high[1]:g}", 11, ha="right", va="top")
        y_label = plots.axis_label(names[1], units)
        write(left - 24, _TOP + height / 2, y_label, 12, plots.INK, ha="center", va="center", rotation=90)
        return figure, axes
    axes.set(xlim=(0, 1), ylim=(strips, 0))
    axes.spines[:].set_visible(False)
    frames = [_box(0, 1, strip) for strip in range(strips)]
    axes.add_collection(
        LineCollection(frames, colors=plots.FRAME, linewidths=1, clip_on=False), autolim=False
    )
    for strip, name in enumerate(names[:strips]):
        top = _TOP + strip * _STRIP_PITCH
        words = plots.axis_label(name, {})
        short = words if len(words) <= _LONGEST_NAME else f"{words[: _LONGEST_NAME - 1]}…"
        unit = plots.times(units.get(name, ""))
        raised = _UNIT_HEIGHT / 2 if unit else 0
        write(left - 8, top + _STRIP_HEIGHT / 2 - raised, short, 11, plots.INK, ha="right", va="center")
        write(left - 8, top + _STRIP_HEIGHT / 2 + raised, unit, 9, ha="right", va="center")
        write(left, top + _STRIP_HEIGHT + 2, f"{low[strip]:g}", 9, va="top")
        write(left + width, top + _STRIP_HEIGHT + 2, f"{high[strip]:g}", 9, ha="right", va="top")
    if dim > strips:
        write(left - 8, total - 8, f"… and {dim - strips} more", 11, ha="right", va="center")
    return figure, axes

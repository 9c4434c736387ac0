"""Small pictures of a task space, drawn in milliseconds: what was proposed, and what was mastered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from ..envs.task_space import Task, TaskSpace
from ..teachers.focus import Focus, FocusBox

# 350 pixels wide, which is what TensorBoard gives a picture.
_SCALE = 2
"""Pictures are drawn at twice their size and made smaller, for smooth edges."""
_PLANE = 284
_STRIP_WIDTH, _STRIP_HEIGHT = 190, 30
_MOST_STRIPS = 16
_NAME_WIDTH = 140
_MARGIN, _TITLE, _LEGEND = 14, 26, 24
_MANY_POINTS = 200
_MOST_ON_STRIPS = 300
_DEVIATIONS = 2.0
"""Out to which Gaussians are drawn."""
_GOLDEN = (np.sqrt(5) - 1) / 2

Color = tuple[int, int, int]
_WHITE, _INK, _SOFT, _FRAME = (255, 255, 255), (30, 36, 44), (110, 118, 128), (190, 196, 204)
_RANDOM, _CHOSEN, _FOCUS = (140, 140, 140), (217, 95, 2), (31, 78, 156)
_MASTERED, _NOT_MASTERED = (27, 120, 55), (178, 150, 192)

Layer = tuple[str, Color, NDArray[np.float64]]
"""A word for the legend, a colour, and points of the unit cube, shape (n, d)."""


def draw_proposals(
    space: TaskSpace, step: int, tasks: Task, is_random: NDArray[np.bool_], focus: Sequence[Focus]
) -> Image.Image:
    """Tasks that a teacher proposed, and where it looks now: the more probable, the darker.

    Two parameters span a plane; fewer or more get a strip each, on which points are scattered upwards.

    Args:
        space: Where the tasks lie.
        step: Training steps so far.
        tasks: Shape (n, d), oldest first.
        is_random: Which of them the teacher drew from the whole space, shape (n,).
        focus: Its boxes and Gaussians.
    """
    if space.dim != 2:
        tasks, is_random = tasks[-_MOST_ON_STRIPS:], is_random[-_MOST_ON_STRIPS:]
    title = f"Last {len(tasks):,} tasks after {step:,} steps"
    unit = space.normalize(tasks)
    layers: list[Layer] = [
        ("chosen", _CHOSEN, unit[~is_random]),
        ("random", _RANDOM, unit[is_random]),
    ]
    # What was drawn at random is most of it for some teachers, and should not cover the rest.
    return _draw(space, title, layers[::-1], focus, 1.7 if len(tasks) > _MANY_POINTS else 2.6)


def draw_mastery(space: TaskSpace, title: str, tasks: Task, mastered: NDArray[np.bool_]) -> Image.Image:
    """Which test tasks are mastered.

    Args:
        space: Where the tasks lie.
        title: Written above.
        tasks: Shape (n, d).
        mastered: Which of them are, shape (n,).
    """
    unit = space.normalize(tasks)
    layers: list[Layer] = [
        ("not mastered", _NOT_MASTERED, unit[~mastered]),
        ("mastered", _MASTERED, unit[mastered]),
    ]
    return _draw(space, title, layers, (), 4.0)


def draw_competence(names: Sequence[str], title: str, competence: NDArray[np.float64]) -> Image.Image:
    """What a simulated student can do, as shades of green; in more than two dimensions, its means along each.

    Args:
        names: Of the parameters, one for each axis of the competence.
        title: Written above.
        competence: In [0, 1], with one axis per parameter.
    """
    canvas = _Canvas(competence.ndim, title)
    if competence.ndim == 2:
        canvas.shade(canvas.panels[0], competence.T[::-1])
        canvas.label_plane(names, (0, 0), (1, 1))
    else:
        for axis, (panel, name) in enumerate(zip(canvas.panels, names, strict=False)):
            others = tuple(i for i in range(competence.ndim) if i != axis)
            canvas.shade(panel, competence.mean(axis=others)[None])
            canvas.label_strip(panel, name, 0, 1)
    canvas.explain([("competence", _MASTERED)])
    return canvas.finish()


def _draw(
    space: TaskSpace, title: str, layers: Iterable[Layer], focus: Sequence[Focus], radius: float
) -> Image.Image:
    canvas = _Canvas(space.dim, title)
    layers = list(layers)
    legend = [(f"{word} {len(points)}", color) for word, color, points in layers]
    if focus:
        kind = "boxes" if isinstance(focus[0], FocusBox) else "Gaussians"
        legend.append((f"{kind} {len(focus)}", _FOCUS))
    if space.dim == 2:
        for _, color, points in layers:
            canvas.scatter(canvas.panels[0], points, color, radius)
        for outline, strength in _outlines(space, focus):
            canvas.trace(canvas.panels[0], outline, strength)
        canvas.label_plane(space.columns, space.low, space.high)
    else:
        for axis, (panel, name) in enumerate(zip(canvas.panels, space.columns, strict=False)):
            for _, color, points in layers:
                upwards = 0.1 + 0.8 * (np.arange(len(points)) * _GOLDEN % 1)
                canvas.scatter(panel, np.stack([points[:, axis], upwards], axis=1), color, radius)
            for low, high, strength in _ranges(space, focus, axis):
                box = np.array([[low, 0.04], [high, 0.04], [high, 0.96], [low, 0.96], [low, 0.04]])
                canvas.trace(panel, box, strength)
            canvas.label_strip(panel, name, space.low[axis], space.high[axis])
    canvas.explain(legend)
    return canvas.finish()


def _strengths(focus: Sequence[Focus]) -> list[float]:
    highest = max((part.weight for part in focus), default=1.0) or 1.0
    return [0.15 + 0.85 * part.weight / highest for part in focus]


def _outlines(space: TaskSpace, focus: Sequence[Focus]) -> Iterable[tuple[NDArray[np.float64], float]]:
    """Closed lines in the unit square, each with its strength, the strongest last."""
    turn = np.linspace(0, 2 * np.pi, 49)
    circle = _DEVIATIONS * np.stack([np.cos(turn), np.sin(turn)])
    for strength, part in sorted(zip(_strengths(focus), focus, strict=True), key=lambda pair: pair[0]):
        if isinstance(part, FocusBox):
            (x0, y0), (x1, y1) = part.low, part.high
            points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
        else:
            variances, axes = np.linalg.eigh(part.covariance)
            points = part.mean + (axes * np.sqrt(np.maximum(variances, 0)) @ circle).T
        yield space.normalize(points), strength


def _ranges(space: TaskSpace, focus: Sequence[Focus], axis: int) -> Iterable[tuple[float, float, float]]:
    """Low, high and strength of each part along one axis of the unit cube."""
    low, size = float(space.low[axis]), float(space.high[axis] - space.low[axis])
    for strength, part in sorted(zip(_strengths(focus), focus, strict=True), key=lambda pair: pair[0]):
        if isinstance(part, FocusBox):
            ends = part.low[axis], part.high[axis]
        else:
            reach = _DEVIATIONS * float(np.sqrt(max(part.covariance[axis, axis], 0)))
            ends = part.mean[axis] - reach, part.mean[axis] + reach
        first, last = ((float(end) - low) / size for end in ends)
        yield max(first, 0.0), min(last, 1.0), strength


class _Canvas:
    """A picture of one plane, or of a strip for each of so many dimensions."""

    def __init__(self, dim: int, title: str) -> None:
        left, top = (46, _TITLE + _LEGEND) if dim == 2 else (_NAME_WIDTH, _TITLE + _LEGEND)
        if dim == 2:
            self.panels = [(left, top, left + _PLANE, top + _PLANE)]
        else:
            self.panels = [
                (left, y, left + _STRIP_WIDTH, y + _STRIP_HEIGHT)
                for y in range(top, top + min(dim, _MOST_STRIPS) * (_STRIP_HEIGHT + 16), _STRIP_HEIGHT + 16)
            ]
        *_, right, bottom = self.panels[-1]
        size = (right + _MARGIN + 6) * _SCALE, (bottom + (36 if dim == 2 else 22)) * _SCALE
        self._image = Image.new("RGB", size, _WHITE)
        self._pen = ImageDraw.Draw(self._image)
        self._text((_MARGIN, 7), title, 13, _INK)
        if dim > _MOST_STRIPS:
            self._text((left - 8, bottom + 1), f"… and {dim - _MOST_STRIPS} more", 11, _SOFT, "ra")
        for panel in self.panels:
            self._pen.rectangle([_SCALE * side for side in panel], outline=_FRAME, width=_SCALE)

    def scatter(
        self, panel: tuple[int, int, int, int], points: NDArray[np.float64], color: Color, radius: float
    ) -> None:
        for x, y in self._places(panel, points):
            r = radius * _SCALE
            self._pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def trace(self, panel: tuple[int, int, int, int], line: NDArray[np.float64], strength: float) -> None:
        color = tuple(round(255 + strength * (shade - 255)) for shade in _FOCUS)
        self._pen.line(self._places(panel, line), fill=color, width=2 * _SCALE, joint="curve")

    def shade(self, panel: tuple[int, int, int, int], rows: NDArray[np.float64]) -> None:
        """Fill a panel with cells, the first row on top."""
        left, top, right, bottom = (_SCALE * side for side in panel)
        white, green = np.array(_WHITE), np.array(_MASTERED)
        cells = white + np.clip(rows, 0, 1)[..., None] * (green - white)
        picture = Image.fromarray(cells.round().astype(np.uint8))
        inside = (right - left - 2 * _SCALE, bottom - top - 2 * _SCALE)
        self._image.paste(picture.resize(inside, Image.Resampling.NEAREST), (left + _SCALE, top + _SCALE))

    def label_plane(self, names: Sequence[str], low: ArrayLike, high: ArrayLike) -> None:
        left, top, right, bottom = self.panels[0]
        (x0, y0), (x1, y1) = np.asarray(low), np.asarray(high)
        self._text((left, bottom + 6), f"{x0:g}", 11, _SOFT)
        self._text(((left + right) // 2, bottom + 6), names[0], 12, _INK, "ma")
        self._text((right, bottom + 6), f"{x1:g}", 11, _SOFT, "ra")
        self._text((left - 6, bottom), f"{y0:g}", 11, _SOFT, "rd")
        self._text((left - 6, top), f"{y1:g}", 11, _SOFT, "ra")
        self._text_upwards((left - 24, (top + bottom) // 2), names[1], 12)

    def label_strip(self, panel: tuple[int, int, int, int], name: str, low: float, high: float) -> None:
        left, top, right, bottom = panel
        while _width(name, 11) > left - 12:
            name = f"{name.removesuffix('…')[:-1]}…"
        self._text((left - 8, (top + bottom) // 2), name, 11, _INK, "rm")
        self._text((left, bottom + 1), f"{low:g}", 9, _SOFT)
        self._text((right, bottom + 1), f"{high:g}", 9, _SOFT, "ra")

    def explain(self, entries: Iterable[tuple[str, Color]]) -> None:
        """The legend."""
        x = _MARGIN
        for words, color in entries:
            y = _TITLE + _LEGEND // 2 - 3
            corners = (x, y - 4, x + 8, y + 4)
            self._pen.ellipse([_SCALE * side for side in corners], fill=color)
            self._text((x + 13, y), words, 11, _SOFT, "lm")
            x += 13 + _width(words, 11) + 16

    def finish(self) -> Image.Image:
        return self._image.reduce(_SCALE)

    def _places(
        self, panel: tuple[int, int, int, int], points: NDArray[np.float64]
    ) -> list[tuple[float, float]]:
        left, top, right, bottom = panel
        x = _SCALE * (left + points[:, 0].clip(0, 1) * (right - left))
        y = _SCALE * (bottom - points[:, 1].clip(0, 1) * (bottom - top))
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def _text(self, place: tuple[int, int], words: str, size: int, color: Color, anchor: str = "la") -> None:
        x, y = place
        self._pen.text((x * _SCALE, y * _SCALE), words, color, _font(size), anchor)

    def _text_upwards(self, place: tuple[int, int], words: str, size: int) -> None:
        width, height = round(_font(size).getlength(words)), round(1.4 * size * _SCALE)
        flat = Image.new("RGB", (width, height), _WHITE)
        ImageDraw.Draw(flat).text((0, 0), words, _INK, _font(size))
        x, y = place
        upright = flat.transpose(Image.Transpose.ROTATE_90)
        self._image.paste(upright, (x * _SCALE - height // 2, y * _SCALE - width // 2))


def _width(words: str, size: int) -> int:
    return round(_font(size).getlength(words) / _SCALE)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size * _SCALE)

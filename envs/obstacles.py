"""Tracks on which obstacles alternate with gaps (Portelas et al. 2019)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from envs.track import GROUND_LEVEL, LENGTH, START_PAD_STEPS, STEP, Track, convex_hull

Numbers = NDArray[np.float64]

_SPREAD = 0.1
"""Standard deviation of every size of an obstacle around what the task says."""
_SMALLEST_SIZE = 0.05
_SMALLEST_GAP = 0.01
_PIXEL = 1 / 30
_PAD = STEP * np.arange(START_PAD_STEPS + 1)
"""Points of the start pad's ground."""


class Obstacle(ABC):
    """A kind of obstacle, of which every specimen on a track differs a little.

    Attributes:
        shortest: Least length of track that a specimen takes, metres.
        are_corners: Whether the points of a polygon are its corners, counterclockwise. If not, the polygon is
            their convex hull.
    """

    shortest: float
    are_corners: ClassVar[bool] = True

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        """Draw the numbers that make up `n` specimens, shape (n, k)."""

    @abstractmethod
    def lengths(self, numbers: Numbers) -> Numbers:
        """Length of track that each specimen takes, metres, shape (n,), from numbers of shape (n, k)."""

    @abstractmethod
    def points(self, numbers: Numbers) -> Numbers:
        """What specimens are made of: convex polygons, each given by some points.

        Args:
            numbers: Shape (n, k).

        Returns:
            Metres, relative to where a specimen begins on the ground, shape (n, polygons, points, 2).
        """


@dataclass(frozen=True)
class Stump(Obstacle):
    """A rectangle standing on the ground.

    Attributes:
        height: Mean height, track steps; each stump's is N(height, 0.1), at least 0.05.
        width: Mean width, track steps; each stump's is N(width, 0.1), at least 0.05. None: exactly 1.
        rotation: Mean rotation about the middle of its base, radians; each stump's is N(rotation, 0.1),
            clipped to [0, 2π]. None: exactly 0.
    """

    height: float
    width: float | None = None
    rotation: float | None = None

    @property
    def shortest(self) -> float:  # type: ignore[override]  # an attribute that is computed
        return STEP if self.width is None else _SMALLEST_SIZE * STEP

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        height = _size(rng, self.height, n)
        width = np.ones(n) if self.width is None else _size(rng, self.width, n)
        rotation = np.zeros(n)
        if self.rotation is not None:
            rotation = np.clip(rng.normal(self.rotation, _SPREAD, n), 0, 2 * np.pi)
        numbers = np.empty((n, 3))
        numbers[:, 0], numbers[:, 1], numbers[:, 2] = height, width, rotation
        return numbers

    def lengths(self, numbers: Numbers) -> Numbers:
        return STEP * numbers[:, 1]

    def points(self, numbers: Numbers) -> Numbers:
        height, width, rotation = numbers.T
        middle = STEP * width / 2
        corners = _rectangles(-middle, STEP * width, STEP * height)
        if self.rotation is not None:
            cos, sin = np.cos(rotation), np.sin(rotation)
            turn = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
            corners = corners @ turn
        corners[..., 0] += middle[:, None]
        return corners[:, None]


@dataclass(frozen=True)
class Hexagon(Obstacle):
    """The convex hull of six points, which the task pushes away from a small base shape.

    Attributes:
        offsets: Twelve numbers in track steps, x and y per point from the left foot to the right one; each
            hexagon's are N(offset, 0.1). The two feet stay on the ground: their y does not count.
    """

    offsets: Sequence[float] | Numbers
    shortest = 1.0
    are_corners = False

    _BASE = STEP * np.array(
        [(-0.5, 0.0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25), (0.5, 0.0)], dtype=np.float64
    )

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        return rng.normal(self.offsets, _SPREAD, size=(n, 12))

    def lengths(self, numbers: Numbers) -> Numbers:
        return np.full(len(numbers), self.shortest)

    def points(self, numbers: Numbers) -> Numbers:
        points = self._BASE + STEP * numbers.reshape(-1, 6, 2)
        points[:, [0, -1], 1] = 0.0
        return points[:, None]


@dataclass(frozen=True)
class StumpRow(Obstacle):
    """Five stumps side by side, each with a height and a width of its own.

    Attributes:
        sizes: Ten numbers, height and width per stump from left to right; heights are N(height, 0.1) track
            steps, widths N(width, 0.1) metres, both at least 0.05.
    """

    sizes: Sequence[float] | Numbers
    shortest = 5 * _SMALLEST_SIZE

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        return _size(rng, self.sizes, (n, 10))

    def lengths(self, numbers: Numbers) -> Numbers:
        widths: Numbers = numbers[:, 1::2].sum(axis=1)
        return widths

    def points(self, numbers: Numbers) -> Numbers:
        height, width = STEP * numbers[:, 0::2], numbers[:, 1::2]
        return _rectangles(np.cumsum(width, axis=1) - width, width, height)


def obstacle_track(
    rng: np.random.Generator, kinds: Sequence[Obstacle], spacing: float, roughness: float = 0.0
) -> Track:
    """Lay out obstacles with equal gaps between them, from the start pad to the track's end.

    Args:
        rng: Draws the obstacles and the bumps.
        kinds: What obstacles there are; if there are several, each obstacle is of a kind drawn uniformly.
        spacing: Length of the gap after each obstacle, metres, at least 0.01.
        roughness: How bumpy the gaps are. At each of their points, a track step apart, the ground's
            velocity v becomes 0.8 v + 0.01 sign(level - y) + U(-roughness, roughness)/30, and y changes by
            v metres. 0 leaves the ground flat.
    """
    start = START_PAD_STEPS * STEP
    gap = max(_SMALLEST_GAP, spacing)
    most = math.ceil((LENGTH - start) / (min(kind.shortest for kind in kinds) + gap))
    kind_of = rng.integers(len(kinds), size=most) if len(kinds) > 1 else np.zeros(most, dtype=np.int64)
    drawn = [kind.draw(rng, most) for kind in kinds]
    lengths = np.choose(kind_of, [kind.lengths(numbers) for kind, numbers in zip(kinds, drawn, strict=True)])
    left = start + np.concatenate([[0.0], np.cumsum(lengths + gap)])
    count = int(np.searchsorted(left, LENGTH))
    left, lengths, kind_of = left[:count], lengths[:count], kind_of[:count]

    gap_ends = STEP * np.arange(1, math.ceil(gap / STEP) if roughness else 1)
    gap_ends = np.concatenate([[0.0], gap_ends, [gap]])
    level = _levels(rng, count, len(gap_ends), roughness)
    x = (left + lengths)[:, None] + gap_ends
    ground = np.full((len(_PAD) + x.size, 2), GROUND_LEVEL, dtype=np.float32)
    ground[: len(_PAD), 0] = _PAD
    ground[len(_PAD) :, 0] = x.ravel()
    ground[len(_PAD) :, 1] = level.ravel()

    foot = np.empty((count, 1, 1, 2))
    foot[:, 0, 0, 0], foot[:, 0, 0, 1] = left, level[:, 0]
    polygons: list[Sequence[NDArray[np.float32]]] = [()] * count
    for index, (kind, numbers) in enumerate(zip(kinds, drawn, strict=True)):
        mine = np.flatnonzero(kind_of == index)
        points = kind.points(numbers[mine]) + foot[mine]
        if kind.are_corners:
            corners: Sequence[Sequence[NDArray[np.float32]]] = list(map(tuple, points.astype(np.float32)))
        else:
            corners = [[convex_hull(p).astype(np.float32) for p in specimen] for specimen in points]
        for slot, specimen in zip(mine.tolist(), corners, strict=True):
            polygons[slot] = specimen
    return Track(ground, tuple(chain.from_iterable(polygons)))


def _levels(rng: np.random.Generator, count: int, points: int, roughness: float) -> Numbers:
    """Height of the ground at each point of each gap, shape (count, points): the first is the obstacle's."""
    level = np.full((count, points), GROUND_LEVEL)
    if not roughness:
        return level
    y, velocity = GROUND_LEVEL, 0.0
    for i, bumps in enumerate(rng.uniform(-roughness, roughness, (count, points - 1)).tolist()):
        level[i, 0] = y
        for j, bump in enumerate(bumps):
            velocity = 0.8 * velocity + 0.01 * np.sign(GROUND_LEVEL - y) + bump * _PIXEL
            y += velocity
            level[i, j + 1] = y
    return level


def _size(
    rng: np.random.Generator, mean: float | Sequence[float] | Numbers, shape: int | tuple[int, ...]
) -> Numbers:
    return np.maximum(_SMALLEST_SIZE, rng.normal(mean, _SPREAD, shape))


def _rectangles(left: Numbers, width: Numbers, height: Numbers) -> Numbers:
    """Corners of rectangles on the ground, shape (…, 4, 2), from arrays of shape (…)."""
    corners = np.zeros((*height.shape, 4, 2))
    corners[..., 0, 0] = corners[..., 3, 0] = left
    corners[..., 1, 0] = corners[..., 2, 0] = left + width
    corners[..., 2, 1] = corners[..., 3, 1] = height
    return corners

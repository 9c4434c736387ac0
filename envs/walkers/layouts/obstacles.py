"""Tracks on which obstacles alternate with gaps (Portelas et al. 2019)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..track import GROUND_LEVEL, LENGTH, START_PAD_LENGTH, STEP, Polygons, Track
from .track_layout import HEXAGON, MOST_NUMBERS, STUMP, STUMP_ROW, Numbers, hull, lay_out, places

_SPREAD = 0.1
"""Standard deviation of every size of an obstacle around the task's value."""
_SMALLEST_SIZE = 0.05
_SMALLEST_GAP = 0.01
_UPRIGHT = (0.0, 1.0, 1.0, 0.0)
"""A stump's numbers by default: no height yet, one step wide, not turned."""
_PIXEL = 1 / 30
_THINNEST = 0.01
"""In metres. Box2D merges corners that are closer than half of this, which would leave no polygon."""


class Obstacle(ABC):
    """A kind of obstacle, whose instances on a track differ a little.

    Attributes:
        form: Its form in `chiron.envs.walkers.layouts.track_layout`.
        shortest: Smallest length of track that an instance takes, metres.
    """

    form: ClassVar[int]
    shortest: float

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        """Draw the numbers of `n` instances, shape (n, k), in the order in which the form takes them."""


@dataclass(frozen=True)
class Stump(Obstacle):
    """A rectangle standing on the ground.

    Attributes:
        height: Mean height, track steps; each stump's is N(height, 0.1), at least 0.05.
        width: Mean width, track steps; each stump's is N(width, 0.1), at least 0.05. None: exactly 1.
        rotation: Mean rotation about the middle of its base, radians; each stump's is N(rotation, 0.1),
            clipped to [0, 2π]. None: exactly 0.
    """

    form = STUMP
    height: float
    width: float | None = None
    rotation: float | None = None

    @property
    def shortest(self) -> float:  # type: ignore[override]  # an attribute that is computed
        """Smallest length of track that an instance takes, metres."""
        return STEP if self.width is None else _SMALLEST_SIZE * STEP

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        numbers = np.empty((n, 4))
        numbers[:] = _UPRIGHT
        numbers[:, 0] = _size(rng, self.height, n)
        if self.width is not None:
            numbers[:, 1] = _size(rng, self.width, n)
        if self.rotation is not None:
            rotation = np.clip(rng.normal(self.rotation, _SPREAD, n), 0, 2 * np.pi)
            numbers[:, 2], numbers[:, 3] = np.cos(rotation), np.sin(rotation)
        return numbers


@dataclass(frozen=True)
class Hexagon(Obstacle):
    """The convex hull of six points, which the task offsets from a small base shape.

    Box2D cannot build a polygon from points that span less than about a centimetre in some direction; they
    are thickened to a centimetre.

    Attributes:
        offsets: Twelve numbers in track steps, x and y per point from the left foot to the right one; each
            hexagon's are N(offset, 0.1). The two feet stay on the ground: their y is ignored.
    """

    form = HEXAGON
    offsets: Sequence[float] | Numbers
    shortest = 1.0

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        return rng.normal(self.offsets, _SPREAD, size=(n, 12))


@dataclass(frozen=True)
class StumpRow(Obstacle):
    """Five stumps side by side, each with its own height and width.

    Attributes:
        sizes: Ten numbers, height and width per stump from left to right; heights are N(height, 0.1) track
            steps, widths N(width, 0.1) metres, both at least 0.05.
    """

    form = STUMP_ROW
    sizes: Sequence[float] | Numbers
    shortest = 5 * _SMALLEST_SIZE

    def draw(self, rng: np.random.Generator, n: int) -> Numbers:
        return _size(rng, self.sizes, (n, 10))


def obstacle_track(
    rng: np.random.Generator, kinds: Sequence[Obstacle], spacing: float, roughness: float = 0.0
) -> Track:
    """Lay out obstacles with equal gaps between them, from the start pad, a single edge, to the track's end.

    Args:
        rng: Draws the obstacles and the bumps.
        kinds: Kinds of obstacles, drawn uniformly for each obstacle.
        spacing: Length of the gap after each obstacle, metres, at least 0.01.
        roughness: How bumpy the gaps are. At each of their points, a track step apart, the ground's
            velocity v becomes 0.8 v + 0.01 sign(level - y) + U(-roughness, roughness)/30, and y changes by
            v metres. 0 leaves the ground flat.
    """
    gap = max(_SMALLEST_GAP, spacing)
    most = math.ceil((LENGTH - START_PAD_LENGTH) / (min(kind.shortest for kind in kinds) + gap))
    forms = np.array([kind.form for kind in kinds])
    kind_of = rng.integers(len(kinds), size=most) if len(kinds) > 1 else np.zeros(most, np.int64)
    numbers = np.empty((len(kinds), most, MOST_NUMBERS))
    for kind, specimens in zip(kinds, numbers, strict=True):
        drawn = kind.draw(rng, most)
        specimens[:, : drawn.shape[1]] = drawn
    bounds = places(forms, kind_of, numbers, gap, STEP, START_PAD_LENGTH, LENGTH)
    if roughness:
        kicks = rng.uniform(-roughness, roughness, (len(bounds), math.ceil(gap / STEP)))
    else:
        kicks = np.zeros((len(bounds), 1))
    ground, corners, ends = lay_out(
        forms, kind_of, numbers, bounds, gap, kicks * _PIXEL, START_PAD_LENGTH, STEP, GROUND_LEVEL, _THINNEST
    )
    return Track(ground, Polygons(corners, ends))


def convex_hull(points: Numbers) -> Numbers:
    """The convex hull of some points, usable as an obstacle.

    Box2D cannot build a polygon from points that span less than about a centimetre in some direction; they
    are thickened to a centimetre.

    Args:
        points: Shape (n, 2), metres.

    Returns:
        Its corners, counterclockwise from the leftmost, shape (k, 2), no three on a line.
    """
    corners = np.empty((3 * len(points), 2))
    return corners[: hull(points, _THINNEST, corners)]


def _size(
    rng: np.random.Generator, mean: float | Sequence[float] | Numbers, shape: int | tuple[int, ...]
) -> Numbers:
    return np.maximum(_SMALLEST_SIZE, rng.normal(mean, _SPREAD, shape))

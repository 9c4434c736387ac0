"""Tracks as data: a chain of ground segments and the convex obstacles standing on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]

STEP = 14 / 30
"""Length of one track step, metres: the unit of obstacle sizes."""
LENGTH = 200 * STEP
"""Length of a track, metres."""
GROUND_LEVEL = 400 / 30 / 4
"""Height of the start pad, metres."""
START_PAD_STEPS = 20
"""Flat steps before the first obstacle: the start pad.

The number of ground edges that it consists of changes the physics: a walker spawns with both feet on a
multiple of a track step, and a foot on the joint of two edges has contacts with both, which push it off
differently. Tracks of `obstacles` have one edge, like the code of Portelas et al. (2019). Tracks of
`obstacle_course` have one per track step, like Gymnasium's BipedalWalker-v3 and envs built on it.
"""
START_PAD_LENGTH = START_PAD_STEPS * STEP
"""Metres."""
START_X = 10 * STEP
"""Where a walker spawns, metres."""
FINISH_X = 190 * STEP
"""Position of the finish line, metres."""


class Polygons(Sequence[NDArray[np.float32]]):
    """Polygons whose corners are concatenated in one array, of which each polygon is a view.

    Args:
        corners: Corners of all polygons, float32 of shape (m, 2).
        ends: End of each polygon's corners in `corners`, int64 of shape (n,).
    """

    def __init__(self, corners: NDArray[np.float32], ends: NDArray[np.int64]) -> None:
        self.corners = corners
        self.ends = ends

    @classmethod
    def of(cls, polygons: Sequence[NDArray[np.float32]]) -> Polygons:
        """Polygons given one by one, each of shape (k, 2)."""
        if isinstance(polygons, cls):
            return polygons
        corners = np.concatenate(polygons, dtype=np.float32) if polygons else np.zeros((0, 2), np.float32)
        return cls(corners, np.cumsum([len(polygon) for polygon in polygons], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(len(self))[index]
        return self.corners[self.ends[place - 1] if place > 0 else 0 : self.ends[place]]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self.corners[start:end] for start, end in pairwise([0, *self.ends.tolist()]))


@dataclass(frozen=True)
class Track:
    """A track, as read by Box2D, the batched engine, the renderer and the tests.

    Attributes:
        ground: Points of the ground's chain of straight edges, float32 of shape (n, 2), metres,
            increasing in x.
        obstacles: Corners of each convex obstacle, counterclockwise, float32 of shape (k, 2), metres,
            in the order in which they stand on the track.
    """

    ground: NDArray[np.float32]
    obstacles: Sequence[NDArray[np.float32]]

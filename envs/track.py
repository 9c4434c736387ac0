"""Tracks as data: a chain of ground segments and the convex obstacles standing on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]

STEP = 14 / 30
"""Length of one track step, metres: the unit that obstacle sizes come in."""
LENGTH = 200 * STEP
"""Length of a track, metres."""
GROUND_LEVEL = 400 / 30 / 4
"""Height of the start pad, metres."""
START_PAD_STEPS = 20
"""Flat steps before the first obstacle."""
START_X = 10 * STEP
"""Where a walker spawns, metres."""
FINISH_X = 190 * STEP
"""Where the finish line stands, metres."""

_THINNEST = 0.01
"""Metres. Box2D merges corners that are closer than half of this, and then has no polygon left."""


@dataclass(frozen=True)
class Track:
    """What Box2D, a batched engine, a renderer and the tests all read.

    Attributes:
        ground: Points of the ground's chain of straight edges, float32 of shape (n, 2), metres,
            increasing in x.
        obstacles: Corners of each convex obstacle, counterclockwise, float32 of shape (k, 2), metres,
            in the order in which they stand on the track.
    """

    ground: NDArray[np.float32]
    obstacles: tuple[NDArray[np.float32], ...]


def convex_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The convex polygon around some points, fit to be an obstacle.

    Points that span less than about a centimetre in some direction have no polygon that Box2D could build;
    they are thickened to a centimetre.

    Args:
        points: Shape (n, 2), metres.

    Returns:
        Its corners, counterclockwise from the leftmost on, shape (k, 2), no three on a line.
    """
    ordered: list[Point] = sorted(map(tuple, points.tolist()))
    hull = _chain(ordered) + _chain(ordered[::-1])
    twice_area = sum(x0 * y1 - y0 * x1 for (x0, y0), (x1, y1) in pairwise([*hull, hull[0]]))
    if twice_area < _THINNEST * max(_THINNEST, *np.ptp(points, axis=0)):
        beside, above = np.array([_THINNEST, 0]), np.array([0, _THINNEST])
        return convex_hull(np.concatenate([points, points + beside, points + above]))
    return np.array(hull)


def _chain(points: list[Point]) -> list[Point]:
    """Half of a hull but for its last corner: the left turns among sorted points (Andrew 1979)."""
    chain: list[Point] = []
    for x, y in points:
        while len(chain) >= 2:
            (x0, y0), (x1, y1) = chain[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain[:-1]

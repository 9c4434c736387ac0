"""Tracks as data: a chain of ground segments and the convex obstacles standing on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def stump_track(rng: np.random.Generator, stump_height: float, obstacle_spacing: float) -> Track:
    """Flat ground with rectangular stumps, evenly spaced (Portelas et al. 2019, Stump Tracks).

    After the start pad, stumps one step wide alternate with flat gaps until the track's end.

    Args:
        rng: Draws the stumps' heights.
        stump_height: Mean height of a stump in track steps; each is N(mean, 0.1), at least 0.05.
        obstacle_spacing: Length of the gap after each stump, metres, at least 0.01.
    """
    pad = np.arange(START_PAD_STEPS + 1) * STEP
    period = STEP + max(0.01, obstacle_spacing)
    count = int(np.ceil((LENGTH - pad[-1]) / period))
    left = pad[-1] + period * np.arange(count)
    height = STEP * np.maximum(0.05, rng.normal(stump_height, 0.1, size=count))

    ends = np.stack([left + STEP, left + period], axis=1).ravel()
    x = np.concatenate([pad, ends])
    ground = np.stack([x, np.full_like(x, GROUND_LEVEL)], axis=1)

    right, bottom, top = left + STEP, np.full(count, GROUND_LEVEL), GROUND_LEVEL + height
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    obstacles = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    return Track(ground.astype(np.float32), tuple(obstacles.astype(np.float32)))

"""How hard a track looks: the measure and the colours used by every drawing of a track."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .track import Track
from .walker_body import WalkerBody

HARDEST = 1.25
"""The difficulty above which the colour stays the same."""

# Light yellow over orange to dark purple: lightness decreases throughout, so the colours can be told apart
# with any kind of colour vision, and none is close to those of walker, sky and ground.
_SCALE = np.array([(255, 233, 138), (250, 173, 65), (226, 98, 43), (164, 29, 62), (82, 10, 72)], np.float64)


def knee_height(body: WalkerBody) -> float:
    """Half of the height of a walker's hull above the ground at spawn, metres."""
    return body.spawn_height / 2


def obstacle_difficulty(track: Track, body: WalkerBody) -> NDArray[np.float64]:
    """How high each obstacle is for a walker, shape (n,): 0 level with the ground, 1 as high as its knees.

    This is the height of the obstacle's top above the ground where the obstacle begins or ends, whichever is
    lower: a step down is as hard as a step up.
    """
    ground_x, ground_y = track.ground.T
    heights = [
        corners[:, 1].max() - np.interp([corners[:, 0].min(), corners[:, 0].max()], ground_x, ground_y).min()
        for corners in track.obstacles
    ]
    return np.maximum(0.0, np.array(heights, np.float64)) / knee_height(body)


def ground_difficulty(track: Track, body: WalkerBody) -> NDArray[np.float64]:
    """How high each edge of the ground is for a walker, shape (n - 1,): as for obstacles, up or down.

    Edges that rise or fall by less than 45 degrees count as flat, 0.
    """
    run, rise = np.abs(np.diff(track.ground.astype(np.float64), axis=0)).T
    return np.where(rise > run, rise, 0.0) / knee_height(body)


def difficulty_color(difficulty: ArrayLike) -> NDArray[np.uint8]:
    """The colours of difficulties of any shape (…): RGB, uint8 of shape (…, 3)."""
    at = np.asarray(difficulty, np.float64) / HARDEST * (len(_SCALE) - 1)
    channels = [np.interp(at, np.arange(len(_SCALE)), channel) for channel in _SCALE.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)

"""Obstacle courses: grass alternating with pits, stumps and stairs, as in Gymnasium's hardcore walker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from envs.track import GROUND_LEVEL, START_PAD_STEPS, STEP, Point, Track

Box = tuple[float, float, float, float]

_STEPS = 200
_GRASS_STEPS = (5, 10)
_PIT_DEPTH = 4
_STAIR_STEPS = 4
"""Length of one stair."""
_STAIR_THICKNESS = 1
_PIXEL = 1 / 30
_LOWEST = 0.05
"""Least height of a stump: Box2D can build no flatter polygon."""


@dataclass(frozen=True)
class Feature:
    """A pit, a stump or a flight of stairs. All in track steps, relative to where it begins.

    Attributes:
        steps: Length of track it takes.
        rise: How much higher the ground is after it.
        profile: Points of the ground along it, increasing in x; the first is (0, 0).
        boxes: What stands on the ground: left, right, bottom and top of each.
    """

    steps: int
    rise: float
    profile: tuple[Point, ...]
    boxes: tuple[Box, ...]


FeatureKind = Callable[[np.random.Generator], Feature]
"""Draws one feature."""


def pit(width: float) -> Feature:
    """A hole four steps deep and `width` steps wide, between walls one step thick."""
    far = 1 + width
    floor = ((1.0, -_PIT_DEPTH), (far, -_PIT_DEPTH)) if width > 0 else ((1.0, -_PIT_DEPTH),)
    walls = ((0, 1, -_PIT_DEPTH, 0), (far, far + 1, -_PIT_DEPTH, 0))
    return Feature(ceil(far) + 2, 0, ((0, 0), *floor, (far + 1, 0)), walls)


def stump(width: int, height: float) -> Feature:
    """A rectangle `width` steps wide and `height` steps high, at least 0.05."""
    box = (0, width, 0, max(_LOWEST, height))
    return Feature(width, 0, tuple((float(x), 0.0) for x in range(width)), (box,))


def stairs(height: float, count: int) -> Feature:
    """A flight of `count` stairs, each four steps long and `height` steps up, or down if negative."""
    profile: list[Point] = []
    boxes = []
    for k in range(count):
        begin, end, before, after = _STAIR_STEPS * k, _STAIR_STEPS * (k + 1), k * height, (k + 1) * height
        # The ground changes its level inside the stair, where nothing touches it.
        profile += [(begin, before), (end - 1, before) if height > 0 else (begin + 1, after)]
        top = max(before, after)
        boxes.append((begin, end, top - max(_STAIR_THICKNESS, abs(height)), top))
    return Feature(_STAIR_STEPS * count, count * height, tuple(profile), tuple(boxes))


def course_track(rng: np.random.Generator, roughness: float, kinds: Sequence[FeatureKind]) -> Track:
    """Lay out a course of 200 steps: the start pad, then features between stretches of 5 to 9 steps of grass.

    At each step of grass the ground's velocity v becomes 0.8 v + 0.01 sign(level - y) + U(-1, 1)/30, and its
    height y changes by roughness × v metres. What is drawn when is as in Gymnasium's BipedalWalker, so that
    equal generators make equal ground.

    Args:
        rng: Draws the grass and the features.
        roughness: How bumpy the grass is; 1 is Gymnasium's, 0 is flat.
        kinds: What features there are; each is of a kind drawn uniformly. Without any, all is grass.
    """
    ground: list[Point] = []
    obstacles = []
    step, y, velocity, grass = 0, GROUND_LEVEL, 0.0, START_PAD_STEPS
    while True:
        for k in range(min(grass, _STEPS - step)):
            # A stretch begins level with what comes before it.
            if k > 0:
                velocity = 0.8 * velocity + 0.01 * np.sign(GROUND_LEVEL - y)
                if step > START_PAD_STEPS:
                    velocity += rng.uniform(-1, 1) * _PIXEL
                y += roughness * velocity
            ground.append((step * STEP, y))
            step += 1
        if step >= _STEPS:
            break
        grass = int(rng.integers(*_GRASS_STEPS))
        if not kinds:
            continue
        feature = kinds[int(rng.integers(len(kinds)))](rng)
        ground += [((step + dx) * STEP, y + dy * STEP) for dx, dy in feature.profile if step + dx < _STEPS]
        for left, right, bottom, top in feature.boxes:
            corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
            obstacles.append(
                np.array([((step + dx) * STEP, y + dy * STEP) for dx, dy in corners], np.float32)
            )
        y += feature.rise * STEP
        step += feature.steps
        grass = int(rng.integers(*_GRASS_STEPS))
    return Track(np.array(ground, dtype=np.float32), tuple(obstacles))


def hardcore_kinds() -> list[FeatureKind]:
    """The features of Gymnasium's BipedalWalkerHardcore-v3, for `course_track` with a roughness of 1."""
    return [_hardcore_stump, _hardcore_stairs, lambda rng: pit(int(rng.integers(3, 5)) - 1)]


def _hardcore_stump(rng: np.random.Generator) -> Feature:
    size = int(rng.integers(1, 3))
    return stump(size, size)


def _hardcore_stairs(rng: np.random.Generator) -> Feature:
    # The ground climbs through these stairs as a ramp, a step behind or ahead of them.
    sign = 1 if rng.random() > 0.5 else -1
    length, count = int(rng.integers(4, 5)), int(rng.integers(3, 5))
    steps = length * count
    ramp = tuple((float(x), (x - sign) / length * sign) for x in range(1, steps))
    boxes = tuple((length * k, length * (k + 1), sign * k - 1, sign * k) for k in range(count))
    return Feature(steps, ramp[-1][1], ((0, 0), *ramp), boxes)

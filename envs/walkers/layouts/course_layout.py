"""The compiled part of laying out obstacle courses: from a generator to the points of ground and boxes.

As in `track_layout`, everything that a function here depends on is in this file or among its arguments.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from .track_layout import Integers, Numbers, compiled

PIT, STUMP, STAIRS, HARDCORE_PIT, HARDCORE_STUMP, HARDCORE_STAIRS = range(6)
"""Forms of features; each interprets a feature's numbers in its own way."""

_SHORTEST_GRASS, _LONGEST_GRASS = 5, 9
_PIT_DEPTH = 4
_STAIR_STEPS = 4
"""Length of one stair."""
_STAIR_THICKNESS = 1.0
_PIXEL = 1 / 30
_LOWEST = 0.05
"""Smallest height of a stump: Box2D cannot build flatter polygons."""


@compiled
def lay_out_course(
    rng: np.random.Generator,
    roughness: float,
    forms: Integers,
    numbers: Numbers,
    pad_steps: int,
    steps: int,
    step: float,
    level: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Integers]:
    """Lay out a course as `chiron.envs.walkers.layouts.obstacle_course.course_track` describes it.

    Args:
        rng: Draws the grass and the features.
        roughness: How bumpy the grass is.
        forms: Form of each kind of feature, shape (kinds,).
        numbers: Smallest size, largest size and number of stairs of each kind, shape (kinds, 3).
        pad_steps: Length of the flat pad at the start.
        steps: Length of the course.
        step: Length of a track step, metres.
        level: Height of the pad, metres, to which the grass returns.

    Returns:
        Points of the ground, shape (k, 2), metres; corners of all boxes, concatenated, shape (4 n, 2), and
        the index at which each box ends.
    """
    ground = np.empty((2 * steps, 2), np.float32)
    corners = np.empty((8 * steps, 2), np.float32)
    feature_ground, boxes = np.empty((2 * steps, 2)), np.empty((2 * steps, 4))
    at, y, velocity, grass = 0, level, 0.0, pad_steps
    points, corner = 0, 0
    while True:
        for k in range(min(grass, steps - at)):
            # A stretch begins level with the ground before it.
            if k > 0:
                velocity = 0.8 * velocity + 0.01 * np.sign(level - y)
                if at > pad_steps:
                    velocity += rng.uniform(-1.0, 1.0) * _PIXEL
                y += roughness * velocity
            ground[points, 0], ground[points, 1] = at * step, y
            points += 1
            at += 1
        if at >= steps:
            break
        grass = int(rng.integers(_SHORTEST_GRASS, _LONGEST_GRASS + 1))
        if len(forms) == 0:
            continue
        kind = rng.integers(0, len(forms))
        length, rise, n_points, n_boxes = _draw_feature(
            rng, forms[kind], numbers[kind], feature_ground, boxes
        )
        for k in range(n_points):
            dx, dy = feature_ground[k, 0], feature_ground[k, 1]
            if at + dx < steps:
                ground[points, 0], ground[points, 1] = (at + dx) * step, y + dy * step
                points += 1
        for k in range(n_boxes):
            left, right, bottom, top = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3]
            for i in range(4):
                corners[corner, 0] = (at + (right if i in (1, 2) else left)) * step
                corners[corner, 1] = y + (top if i >= 2 else bottom) * step
                corner += 1
        y += rise * step
        at += length
        grass = int(rng.integers(_SHORTEST_GRASS, _LONGEST_GRASS + 1))
    return ground[:points], corners[:corner], np.arange(4, corner + 1, 4)


@compiled
def _draw_feature(
    rng: np.random.Generator, form: int, numbers: Numbers, ground: Numbers, boxes: Numbers
) -> tuple[int, float, int, int]:
    """Draw a feature, in track steps relative to its beginning.

    Args:
        rng: Draws everything that its numbers do not determine.
        form: Its form.
        numbers: Smallest size, largest size, number of stairs.
        ground: Output: points of the ground along it, increasing in x, the first (0, 0).
        boxes: Output: left, right, bottom and top of the boxes on the ground.

    Returns:
        The length of track it takes, how much the ground rises along it, and the numbers of points and boxes
        written.
    """
    if form == PIT:
        return _pit(rng.uniform(numbers[0], numbers[1]), ground, boxes)
    if form == HARDCORE_PIT:
        return _pit(rng.integers(3, 5) - 1.0, ground, boxes)
    if form == STUMP:
        return _stump(1, rng.uniform(numbers[0], numbers[1]), ground, boxes)
    if form == HARDCORE_STUMP:
        size = int(rng.integers(1, 3))
        return _stump(size, float(size), ground, boxes)
    sign = 1.0 if rng.random() > 0.5 else -1.0
    if form == STAIRS:
        height = rng.uniform(numbers[0], numbers[1])
        return _stairs(sign * height, int(numbers[2]), ground, boxes)
    return _ramped_stairs(sign, int(rng.integers(3, 5)), ground, boxes)


@compiled
def _pit(width: float, ground: Numbers, boxes: Numbers) -> tuple[int, float, int, int]:
    far = 1 + width
    _set_point(ground[0], 0.0, 0.0)
    _set_point(ground[1], 1.0, -_PIT_DEPTH)
    # A hole of width 0 has a single point at its bottom.
    points = 3 if width > 0 else 2
    _set_point(ground[points - 1], far, -_PIT_DEPTH)
    _set_point(ground[points], far + 1, 0.0)
    _set_box(boxes[0], 0.0, 1.0, -_PIT_DEPTH, 0.0)
    _set_box(boxes[1], far, far + 1, -_PIT_DEPTH, 0.0)
    return ceil(far) + 2, 0.0, points + 1, 2


@compiled
def _stump(width: int, height: float, ground: Numbers, boxes: Numbers) -> tuple[int, float, int, int]:
    for k in range(width):
        _set_point(ground[k], k, 0.0)
    _set_box(boxes[0], 0.0, width, 0.0, max(_LOWEST, height))
    return width, 0.0, width, 1


@compiled
def _stairs(height: float, count: int, ground: Numbers, boxes: Numbers) -> tuple[int, float, int, int]:
    for k in range(count):
        begin, end, before, after = _STAIR_STEPS * k, _STAIR_STEPS * (k + 1), k * height, (k + 1) * height
        # The ground changes level inside the stair, where nothing touches it.
        _set_point(ground[2 * k], begin, before)
        if height > 0:
            _set_point(ground[2 * k + 1], end - 1, before)
        else:
            _set_point(ground[2 * k + 1], begin + 1, after)
        top = max(before, after)
        _set_box(boxes[k], begin, end, top - max(_STAIR_THICKNESS, abs(height)), top)
    return _STAIR_STEPS * count, count * height, 2 * count, count


@compiled
def _ramped_stairs(sign: float, count: int, ground: Numbers, boxes: Numbers) -> tuple[int, float, int, int]:
    """Gymnasium's stairs: the ground climbs through them as a ramp, a step behind or ahead of them."""
    length = _STAIR_STEPS * count
    rise = 0.0
    _set_point(ground[0], 0.0, 0.0)
    for k in range(1, length):
        rise = (k - sign) / _STAIR_STEPS * sign
        _set_point(ground[k], k, rise)
    for k in range(count):
        _set_box(boxes[k], _STAIR_STEPS * k, _STAIR_STEPS * (k + 1), sign * k - 1, sign * k)
    return length, rise, length, count


@compiled
def _set_point(point: Numbers, x: float, y: float) -> None:
    point[0], point[1] = x, y


@compiled
def _set_box(box: Numbers, left: float, right: float, bottom: float, top: float) -> None:
    box[0], box[1], box[2], box[3] = left, right, bottom, top

"""The compiled part of laying out tracks: from drawn numbers to the points of ground and obstacles.

Numba's cache only notices changes of a function's own file. So everything that a function here depends on is
in this file or among its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...numba_cache import compiled_and_cached

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function for the types it is called with, and store the result in Numba's cache."""
    return compiled_and_cached(function, error_model="numpy")


STUMP, HEXAGON, STUMP_ROW = range(3)
"""Forms of obstacles; each interprets the numbers drawn for an instance in its own way."""
MOST_NUMBERS = 12
"""Largest number of values that an instance of any form has."""
_MOST_POLYGONS = 5
_MOST_POINTS = 6


@compiled
def places(
    forms: Integers, kind_of: Integers, numbers: Numbers, gap: float, step: float, start: float, end: float
) -> Numbers:
    """Start and end of the obstacles that start between `start` and `end`, metres, shape (n, 2).

    Args:
        forms: Form of each kind of obstacle, shape (kinds,).
        kind_of: Kind of each instance, for as many as could be needed, shape (m,).
        numbers: Numbers of each instance for each kind, shape (kinds, m, `MOST_NUMBERS`).
        gap: Length of the gap after each, metres.
        step: Length of a track step, metres.
        start: Start of the first obstacle, metres.
        end: All obstacles start before this, metres.
    """
    bounds = np.empty((len(kind_of), 2))
    count, covered = 0, 0.0
    while count < len(kind_of) and start + covered < end:
        kind = kind_of[count]
        drawn = numbers[kind, count]
        if forms[kind] == STUMP:
            length = step * drawn[1]
        elif forms[kind] == HEXAGON:
            length = 1.0
        else:
            length = 0.0
            for k in range(5):
                length += drawn[2 * k + 1]
        bounds[count, 0] = start + covered
        bounds[count, 1] = start + covered + length
        covered += length + gap
        count += 1
    return bounds[:count]


@compiled
def lay_out(
    forms: Integers,
    kind_of: Integers,
    numbers: Numbers,
    bounds: Numbers,
    gap: float,
    bumps: Numbers,
    start: float,
    step: float,
    level: float,
    thinnest: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Integers]:
    """Make a track of obstacles whose positions are known.

    Args:
        forms: As for `places`.
        kind_of: As for `places`.
        numbers: As for `places`.
        bounds: As returned by `places`, shape (n, 2).
        gap: Length of the gap after each obstacle, metres.
        bumps: Change of the ground's velocity at each point of a gap except its first, metres, shape
            (n, points).
        start: End of the start pad, a single edge, and start of the first obstacle, metres.
        step: Length of a track step, the distance between two points of a gap, metres.
        level: Height of the pad, metres, to which bumps return.
        thinnest: Hexagons are at least this thick, metres.

    Returns:
        Points of the ground, shape (k, 2); corners of all polygons, concatenated, shape (m, 2), and the index
        at which each polygon ends.
    """
    count, points = bumps.shape
    ground = np.empty((2 + count * (points + 1), 2), np.float32)
    corners = np.empty((count * _MOST_POLYGONS * _MOST_POINTS, 2), np.float32)
    ends = np.empty(count * _MOST_POLYGONS, np.int64)
    outline = np.empty((_MOST_POLYGONS, _MOST_POINTS, 2))
    around = np.empty((3 * _MOST_POINTS, 2))
    ground[0, 0], ground[0, 1] = 0.0, level
    ground[1, 0], ground[1, 1] = start, level
    at, corner, polygon = 2, 0, 0
    y, velocity = level, 0.0
    for i in range(count):
        begin, end = bounds[i, 0], bounds[i, 1]
        kind = kind_of[i]
        form, drawn = forms[kind], numbers[kind, i]
        if form == STUMP:
            polygons, size = stump(drawn, step, outline)
        elif form == HEXAGON:
            polygons, size = hexagon(drawn, step, outline)
        else:
            polygons, size = stump_row(drawn, step, outline)
        for p in range(polygons):
            shape, n = outline[p], size
            for k in range(n):
                shape[k, 0] += begin
                shape[k, 1] += y
            if form == HEXAGON:
                n = hull(shape, thinnest, around)
                shape = around
            for k in range(n):
                corners[corner, 0], corners[corner, 1] = shape[k, 0], shape[k, 1]
                corner += 1
            ends[polygon] = corner
            polygon += 1
        ground[at, 0], ground[at, 1] = end, y
        for j in range(points):
            velocity = 0.8 * velocity + 0.01 * np.sign(level - y) + bumps[i, j]
            y += velocity
            ground[at + j + 1, 0] = end + (gap if j == points - 1 else step * (j + 1))
            ground[at + j + 1, 1] = y
        at += points + 1
    return ground, corners[:corner], ends[:polygon]


@compiled
def stump(numbers: Numbers, step: float, outline: Numbers) -> tuple[int, int]:
    """Write the outline of a stump, in metres from where it starts on the ground.

    Args:
        numbers: Height and width, track steps, cosine and sine of its turn about the middle of its base.
        step: Length of a track step, metres.
        outline: Output, shape (polygons, points, 2).

    Returns:
        The number of polygons, and of points of each.
    """
    middle = step * numbers[1] / 2
    _rectangle(outline[0], -middle, step * numbers[1], step * numbers[0])
    for k in range(4):
        x, y = outline[0, k, 0], outline[0, k, 1]
        outline[0, k, 0] = x * numbers[2] - y * numbers[3] + middle
        outline[0, k, 1] = x * numbers[3] + y * numbers[2]
    return 1, 4


@compiled
def hexagon(numbers: Numbers, step: float, outline: Numbers) -> tuple[int, int]:
    """Like `stump`, for the points whose hull is a hexagon; the numbers are their offsets, track steps."""
    base_x = (-0.5, -0.5, -0.25, 0.25, 0.5, 0.5)
    base_y = (0.0, 0.25, 0.5, 0.5, 0.25, 0.0)
    for k in range(6):
        is_foot = k in (0, 5)
        outline[0, k, 0] = step * base_x[k] + step * numbers[2 * k]
        outline[0, k, 1] = 0.0 if is_foot else step * base_y[k] + step * numbers[2 * k + 1]
    return 1, 6


@compiled
def stump_row(numbers: Numbers, step: float, outline: Numbers) -> tuple[int, int]:
    """Like `stump`, for five side by side; the numbers are each one's height (track steps) and width (m)."""
    right = 0.0
    for k in range(5):
        height, width = numbers[2 * k], numbers[2 * k + 1]
        right += width
        _rectangle(outline[k], right - width, width, step * height)
    return 5, 4


@compiled
def _rectangle(corners: Numbers, left: float, width: float, height: float) -> None:
    corners[0, 0], corners[1, 0], corners[2, 0], corners[3, 0] = left, left + width, left + width, left
    corners[0, 1], corners[1, 1], corners[2, 1], corners[3, 1] = 0.0, 0.0, height, height


@compiled
def hull(points: Numbers, thinnest: float, corners: Numbers) -> int:
    """Write the corners of the convex hull of points, counterclockwise from the leftmost.

    Args:
        points: Shape (n, 2).
        thinnest: Points that span less than this in some direction are thickened to it.
        corners: Output, at least 3 n rows.

    Returns:
        The number of corners.
    """
    size = _turns(points, corners)
    twice_area = 0.0
    for i in range(size):
        k = (i + 1) % size
        twice_area += corners[i, 0] * corners[k, 1] - corners[i, 1] * corners[k, 0]
    n, span = len(points), thinnest
    for i in range(n):
        for k in range(i):
            span = max(span, abs(points[i, 0] - points[k, 0]), abs(points[i, 1] - points[k, 1]))
    if twice_area >= thinnest * span:
        return size
    thicker = np.empty((3 * n, 2))
    for i in range(n):
        for copy in range(3):
            thicker[copy * n + i, 0], thicker[copy * n + i, 1] = points[i, 0], points[i, 1]
        thicker[n + i, 0] += thinnest
        thicker[2 * n + i, 1] += thinnest
    return _turns(thicker, corners)


@compiled
def _turns(points: Numbers, corners: Numbers) -> int:
    """Write the points where a tour around points turns left (Andrew 1979); returns their number."""
    n = len(points)
    order = np.empty((n, 2))
    for i in range(n):
        x, y = points[i, 0], points[i, 1]
        k = i
        while k > 0 and (order[k - 1, 0] > x or (order[k - 1, 0] == x and order[k - 1, 1] > y)):
            order[k, 0], order[k, 1] = order[k - 1, 0], order[k - 1, 1]
            k -= 1
        order[k, 0], order[k, 1] = x, y
    size = 0
    chain = np.empty((n, 2))
    for way in range(2):
        length = 0
        for i in range(n):
            at = i if way == 0 else n - 1 - i
            x, y = order[at, 0], order[at, 1]
            while length >= 2:
                x0, y0 = chain[length - 2, 0], chain[length - 2, 1]
                x1, y1 = chain[length - 1, 0], chain[length - 1, 1]
                if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                    break
                length -= 1
            chain[length, 0], chain[length, 1] = x, y
            length += 1
        for k in range(length - 1):
            corners[size, 0], corners[size, 1] = chain[k, 0], chain[k, 1]
            size += 1
    return size

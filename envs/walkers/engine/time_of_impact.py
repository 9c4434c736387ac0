"""When, within a step, a part first comes to touch a fixture of the track (b2TimeOfImpact.cpp)."""

from __future__ import annotations

import math

from numpy import float32

from .distance import distance, support_of
from .kernel import Number, Record, kernel
from .layout import MAX_VERTICES
from .settings import HALF, LINEAR_SLOP, ONE, PI, POLYGON_RADIUS, TWO, ZERO
from .shapes import normalize
from .transform import Transform, rotate, transform_at, transform_point, unrotate

_TARGET = max(LINEAR_SLOP, TWO * POLYGON_RADIUS - float32(3.0) * LINEAR_SLOP)
"""The distance that counts as touching: skins overlap a little."""
_TOLERANCE = float32(0.25) * LINEAR_SLOP
_MAX_ITERATIONS = 20
_MAX_ROOT_ITERATIONS = 50
_MAX_PUSH_BACKS = 16  # Box2D's b2_maxPolygonVertices
_POINTS, _FACE_A, _FACE_B = 0, 1, 2
_TWO_PI = TWO * PI

assert MAX_VERTICES <= _MAX_PUSH_BACKS


@kernel
def _transform_in_sweep(state: Record, part: Record, a0: Number, a: Number, t: Number) -> Transform:
    """Transform of a part at a fraction of its motion; the angles have been normalised."""
    rest = ONE - t
    c_x, c_y = rest * state.c0_x + t * state.c_x, rest * state.c0_y + t * state.c_y
    return transform_at(c_x, c_y, rest * a0 + t * a, part.center_x, part.center_y)


@kernel
def _separating_axis(
    scratch: Record, polygon: Record, xf: Transform
) -> tuple[int, Number, Number, Number, Number]:
    """The axis that last separated fixture and part: its kind, direction, and a point on it.

    For `_POINTS` the direction is in the world's frame, for a face in the frame of the shape that has it.
    """
    proxy = scratch.proxy
    a0, b0 = scratch.cache_a[0], scratch.cache_b[0]
    if scratch.cache_count == 1:
        b_x, b_y = transform_point(xf, polygon.x[b0], polygon.y[b0])
        axis_x, axis_y, _ = normalize(b_x - proxy.x[a0], b_y - proxy.y[a0])
        return _POINTS, axis_x, axis_y, ZERO, ZERO
    a1, b1 = scratch.cache_a[1], scratch.cache_b[1]
    if a0 == a1:
        axis_x, axis_y, _ = normalize(polygon.y[b1] - polygon.y[b0], -(polygon.x[b1] - polygon.x[b0]))
        n_x, n_y = rotate(xf, axis_x, axis_y)
        point_x, point_y = HALF * (polygon.x[b0] + polygon.x[b1]), HALF * (polygon.y[b0] + polygon.y[b1])
        at_x, at_y = transform_point(xf, point_x, point_y)
        s = (proxy.x[a0] - at_x) * n_x + (proxy.y[a0] - at_y) * n_y
        if s < ZERO:
            axis_x, axis_y = -axis_x, -axis_y
        return _FACE_B, axis_x, axis_y, point_x, point_y
    axis_x, axis_y, _ = normalize(proxy.y[a1] - proxy.y[a0], -(proxy.x[a1] - proxy.x[a0]))
    point_x, point_y = HALF * (proxy.x[a0] + proxy.x[a1]), HALF * (proxy.y[a0] + proxy.y[a1])
    at_x, at_y = transform_point(xf, polygon.x[b0], polygon.y[b0])
    s = (at_x - point_x) * axis_x + (at_y - point_y) * axis_y
    if s < ZERO:
        axis_x, axis_y = -axis_x, -axis_y
    return _FACE_A, axis_x, axis_y, point_x, point_y


@kernel
def _deepest(
    scratch: Record, polygon: Record, xf: Transform, kind: int, axis_x: Number, axis_y: Number
) -> tuple[int, int]:
    """The corners of fixture and part that are nearest to each other along the axis."""
    if kind == _POINTS:
        towards_x, towards_y = unrotate(xf, -axis_x, -axis_y)
        return support_of(scratch.proxy, axis_x, axis_y), support_of(polygon, towards_x, towards_y)
    if kind == _FACE_A:
        towards_x, towards_y = unrotate(xf, -axis_x, -axis_y)
        return -1, support_of(polygon, towards_x, towards_y)
    n_x, n_y = rotate(xf, axis_x, axis_y)
    return support_of(scratch.proxy, -n_x, -n_y), -1


@kernel
def _separation(
    scratch: Record,
    polygon: Record,
    xf: Transform,
    kind: int,
    axis: tuple[Number, Number, Number, Number],
    a: int,
    b: int,
) -> Number:
    """Separation of two corners, or of a corner and a face, along the axis."""
    proxy = scratch.proxy
    if kind == _POINTS:
        b_x, b_y = transform_point(xf, polygon.x[b], polygon.y[b])
        return (b_x - proxy.x[a]) * axis[0] + (b_y - proxy.y[a]) * axis[1]
    if kind == _FACE_A:
        b_x, b_y = transform_point(xf, polygon.x[b], polygon.y[b])
        return (b_x - axis[2]) * axis[0] + (b_y - axis[3]) * axis[1]
    n_x, n_y = rotate(xf, axis[0], axis[1])
    b_x, b_y = transform_point(xf, axis[2], axis[3])
    return (proxy.x[a] - b_x) * n_x + (proxy.y[a] - b_y) * n_y


@kernel
def time_of_impact(scratch: Record, state: Record, part: Record) -> tuple[bool, Number]:
    """Time at which the fixture in `scratch.proxy` and a part touch, by conservative advancement.

    Returns:
        Whether they touch within the part's motion, and at what fraction of it.
    """
    polygon = part.polygon
    turns = _TWO_PI * math.floor(state.a0 / _TWO_PI)
    a0, a = state.a0 - float32(turns), state.a - float32(turns)
    t1 = ZERO
    scratch.cache_count = 0
    for _ in range(_MAX_ITERATIONS):
        xf1 = _transform_in_sweep(state, part, a0, a, t1)
        apart = distance(scratch, polygon, xf1)
        if apart <= ZERO:
            return False, ZERO
        if apart < _TARGET + _TOLERANCE:
            return True, t1
        kind, axis_x, axis_y, point_x, point_y = _separating_axis(scratch, polygon, xf1)
        axis = (axis_x, axis_y, point_x, point_y)

        # Push the end of the interval back until the deepest point there is at the target.
        t2 = ONE
        for _ in range(_MAX_PUSH_BACKS):
            xf2 = _transform_in_sweep(state, part, a0, a, t2)
            i, j = _deepest(scratch, polygon, xf2, kind, axis_x, axis_y)
            s2 = _separation(scratch, polygon, xf2, kind, axis, i, j)
            if s2 > _TARGET + _TOLERANCE:
                return False, ONE
            if s2 > _TARGET - _TOLERANCE:
                t1 = t2
                break
            s1 = _separation(scratch, polygon, xf1, kind, axis, i, j)
            if s1 < _TARGET - _TOLERANCE:
                return False, t1
            if s1 <= _TARGET + _TOLERANCE:
                return True, t1

            # The root of separation - target, by alternating secants and bisection.
            low, high = t1, t2
            for k in range(_MAX_ROOT_ITERATIONS):
                t = low + (_TARGET - s1) * (high - low) / (s2 - s1) if k & 1 else HALF * (low + high)
                xf = _transform_in_sweep(state, part, a0, a, t)
                s = _separation(scratch, polygon, xf, kind, axis, i, j)
                error = s - _TARGET
                if (error if error > ZERO else -error) < _TOLERANCE:
                    t2 = t
                    break
                if s > _TARGET:
                    low, s1 = t, s
                else:
                    high, s2 = t, s
    return False, t1

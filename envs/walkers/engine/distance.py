"""The distance between a fixture of the track and a part: GJK with a cached simplex (b2Distance.cpp).

The fixture is `scratch.proxy`, corners in the world's frame; the part is a polygon and its transform. A
vertex of the simplex is a corner of each (`simplex_a`, `simplex_b`), their positions, the vector from the
first to the second (`simplex_x`, `simplex_y`) and its weight in the point nearest to the origin.
"""

from __future__ import annotations

from numpy import float32

from .kernel import Number, Record, kernel
from .lanes import sqrt
from .settings import EPSILON, HALF, ONE, TWO, ZERO
from .transform import Transform, transform_point, unrotate

_MAX_ITERATIONS = 20


@kernel
def support_of(shape: Record, x: Number, y: Number) -> int:
    """The corner that is farthest in a direction."""
    best, best_value = 0, shape.x[0] * x + shape.y[0] * y
    for i in range(1, shape.count):
        value = shape.x[i] * x + shape.y[i] * y
        if value > best_value:
            best, best_value = i, value
    return best


@kernel
def _set_vertex(scratch: Record, i: int, polygon: Record, xf: Transform, a: int, b: int) -> None:
    scratch.simplex_a[i], scratch.simplex_b[i] = a, b
    a_x, a_y = scratch.proxy.x[a], scratch.proxy.y[a]
    b_x, b_y = transform_point(xf, polygon.x[b], polygon.y[b])
    scratch.simplex_ax[i], scratch.simplex_ay[i] = a_x, a_y
    scratch.simplex_bx[i], scratch.simplex_by[i] = b_x, b_y
    scratch.simplex_x[i], scratch.simplex_y[i] = b_x - a_x, b_y - a_y


@kernel
def _copy_vertex(scratch: Record, to: int, of: int) -> None:
    scratch.simplex_a[to], scratch.simplex_b[to] = scratch.simplex_a[of], scratch.simplex_b[of]
    scratch.simplex_ax[to], scratch.simplex_ay[to] = scratch.simplex_ax[of], scratch.simplex_ay[of]
    scratch.simplex_bx[to], scratch.simplex_by[to] = scratch.simplex_bx[of], scratch.simplex_by[of]
    scratch.simplex_x[to], scratch.simplex_y[to] = scratch.simplex_x[of], scratch.simplex_y[of]
    scratch.simplex_weight[to] = scratch.simplex_weight[of]


@kernel
def _metric(scratch: Record, count: int) -> Number:
    """A measure of the simplex: length of a segment, area of a triangle."""
    if count == 1:
        return ZERO
    x, y = scratch.simplex_x, scratch.simplex_y
    if count == 2:
        d_x, d_y = x[0] - x[1], y[0] - y[1]
        return sqrt(d_x * d_x + d_y * d_y)
    return (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])


@kernel
def _read_cache(scratch: Record, polygon: Record, xf: Transform) -> Number:
    """Start from the last simplex, if it has not changed much; returns its count."""
    count = scratch.cache_count
    for i in range(count):
        _set_vertex(scratch, i, polygon, xf, scratch.cache_a[i], scratch.cache_b[i])
        scratch.simplex_weight[i] = ZERO
    if count > 1:
        old, new = scratch.cache_metric, _metric(scratch, count)
        if new < HALF * old or TWO * old < new or new < EPSILON:
            count = 0
    if count == 0:
        _set_vertex(scratch, 0, polygon, xf, 0, 0)
        scratch.simplex_weight[0] = ONE
        count = 1
    return count


@kernel
def _solve2(scratch: Record) -> int:
    """The point of a segment nearest to the origin; returns how many vertices it needs."""
    x, y, weight = scratch.simplex_x, scratch.simplex_y, scratch.simplex_weight
    e_x, e_y = x[1] - x[0], y[1] - y[0]
    d2 = -(x[0] * e_x + y[0] * e_y)
    if d2 <= ZERO:
        weight[0] = ONE
        return 1
    d1 = x[1] * e_x + y[1] * e_y
    if d1 <= ZERO:
        weight[1] = ONE
        _copy_vertex(scratch, 0, 1)
        return 1
    inverse = ONE / (d1 + d2)
    weight[0], weight[1] = d1 * inverse, d2 * inverse
    return 2


@kernel
def _solve3(scratch: Record) -> int:
    """The point of a triangle nearest to the origin; returns how many vertices it needs."""
    x, y, weight = scratch.simplex_x, scratch.simplex_y, scratch.simplex_weight
    x1, y1, x2, y2, x3, y3 = x[0], y[0], x[1], y[1], x[2], y[2]
    e12_x, e12_y = x2 - x1, y2 - y1
    d12_1, d12_2 = x2 * e12_x + y2 * e12_y, -(x1 * e12_x + y1 * e12_y)
    e13_x, e13_y = x3 - x1, y3 - y1
    d13_1, d13_2 = x3 * e13_x + y3 * e13_y, -(x1 * e13_x + y1 * e13_y)
    e23_x, e23_y = x3 - x2, y3 - y2
    d23_1, d23_2 = x3 * e23_x + y3 * e23_y, -(x2 * e23_x + y2 * e23_y)
    n123 = e12_x * e13_y - e12_y * e13_x
    d123_1 = n123 * (x2 * y3 - y2 * x3)
    d123_2 = n123 * (x3 * y1 - y3 * x1)
    d123_3 = n123 * (x1 * y2 - y1 * x2)

    if d12_2 <= ZERO and d13_2 <= ZERO:
        weight[0] = ONE
        return 1
    if d12_1 > ZERO and d12_2 > ZERO and d123_3 <= ZERO:
        inverse = ONE / (d12_1 + d12_2)
        weight[0], weight[1] = d12_1 * inverse, d12_2 * inverse
        return 2
    if d13_1 > ZERO and d13_2 > ZERO and d123_2 <= ZERO:
        inverse = ONE / (d13_1 + d13_2)
        weight[0], weight[2] = d13_1 * inverse, d13_2 * inverse
        _copy_vertex(scratch, 1, 2)
        return 2
    if d12_1 <= ZERO and d23_2 <= ZERO:
        weight[1] = ONE
        _copy_vertex(scratch, 0, 1)
        return 1
    if d13_1 <= ZERO and d23_1 <= ZERO:
        weight[2] = ONE
        _copy_vertex(scratch, 0, 2)
        return 1
    if d23_1 > ZERO and d23_2 > ZERO and d123_1 <= ZERO:
        inverse = ONE / (d23_1 + d23_2)
        weight[1], weight[2] = d23_1 * inverse, d23_2 * inverse
        _copy_vertex(scratch, 0, 2)
        return 2
    inverse = ONE / (d123_1 + d123_2 + d123_3)
    weight[0], weight[1], weight[2] = d123_1 * inverse, d123_2 * inverse, d123_3 * inverse
    return 3


@kernel
def distance(scratch: Record, polygon: Record, xf: Transform) -> Number:
    """Distance between the fixture in `scratch.proxy` and a part, 0 if they overlap.

    The simplex found is left in the cache: its count distinguishes corners from edges, and the next call
    starts from it.
    """
    proxy = scratch.proxy
    x, y, weight = scratch.simplex_x, scratch.simplex_y, scratch.simplex_weight
    count = _read_cache(scratch, polygon, xf)
    iterations = 0
    while iterations < _MAX_ITERATIONS:
        # The previous simplex, to detect cycles; there are three vertices only at the end.
        saved = count
        save_a0, save_a1, save_a2 = scratch.simplex_a[0], scratch.simplex_a[1], scratch.simplex_a[2]
        save_b0, save_b1, save_b2 = scratch.simplex_b[0], scratch.simplex_b[1], scratch.simplex_b[2]
        if count == 2:
            count = _solve2(scratch)
        elif count == 3:
            count = _solve3(scratch)
        if count == 3:
            break
        if count == 1:
            d_x, d_y = -x[0], -y[0]
        else:
            e_x, e_y = x[1] - x[0], y[1] - y[0]
            if e_x * -y[0] - e_y * -x[0] > ZERO:
                d_x, d_y = -e_y, e_x
            else:
                d_x, d_y = e_y, -e_x
        if d_x * d_x + d_y * d_y < EPSILON * EPSILON:
            break
        a = support_of(proxy, -d_x, -d_y)
        towards_x, towards_y = unrotate(xf, d_x, d_y)
        b = support_of(polygon, towards_x, towards_y)
        _set_vertex(scratch, count, polygon, xf, a, b)
        iterations += 1
        if (
            (a == save_a0 and b == save_b0)
            or (saved > 1 and a == save_a1 and b == save_b1)
            or (saved > 2 and a == save_a2 and b == save_b2)
        ):
            break
        count += 1

    scratch.cache_metric = _metric(scratch, count)
    scratch.cache_count = count
    for i in range(count):
        scratch.cache_a[i], scratch.cache_b[i] = scratch.simplex_a[i], scratch.simplex_b[i]
    if count == 3:
        return float32(0.0)
    a_x, a_y = scratch.simplex_ax, scratch.simplex_ay
    b_x, b_y = scratch.simplex_bx, scratch.simplex_by
    if count == 1:
        d_x, d_y = a_x[0] - b_x[0], a_y[0] - b_y[0]
    else:
        d_x = (weight[0] * a_x[0] + weight[1] * a_x[1]) - (weight[0] * b_x[0] + weight[1] * b_x[1])
        d_y = (weight[0] * a_y[0] + weight[1] * a_y[1]) - (weight[0] * b_y[0] + weight[1] * b_y[1])
    return sqrt(d_x * d_x + d_y * d_y)

"""Shapes: convex hulls, centroids, mass and boxes (b2PolygonShape, b2EdgeShape)."""

from __future__ import annotations

from numpy import float32

from .kernel import Number, Record, kernel
from .lanes import maximum, minimum, sqrt
from .layout import MAX_VERTICES
from .settings import AABB_EXTENSION, EPSILON, HALF, ONE, POLYGON_RADIUS, ZERO

_THIRD = ONE / float32(3.0)
_QUARTER = float32(0.25)


@kernel
def normalize(x: Number, y: Number) -> tuple[Number, Number, Number]:
    """A vector of length 1 in the same direction, and the old length; very short vectors are unchanged."""
    length = sqrt(x * x + y * y)
    if length < EPSILON:
        return x, y, ZERO
    inverse = ONE / length
    return x * inverse, y * inverse, length


@kernel
def set_box(polygon: Record, half_width: Number, half_height: Number) -> None:
    """Make a centred rectangle, with corners starting at the lower left."""
    polygon.count = 4
    for i in range(4):
        right, upper = i in (1, 2), i >= 2
        polygon.x[i] = half_width if right else -half_width
        polygon.y[i] = half_height if upper else -half_height
    for i in range(4):
        polygon.normal_x[i] = ONE if i == 1 else (-ONE if i == 3 else ZERO)
        polygon.normal_y[i] = ONE if i == 2 else (-ONE if i == 0 else ZERO)
    polygon.centroid_x = ZERO
    polygon.centroid_y = ZERO


@kernel
def set_polygon(polygon: Record, xs: Record, ys: Record, count: int) -> bool:
    """Make the convex hull of some points: gift wrapping from the rightmost one, counterclockwise.

    Returns:
        Whether the hull has an area, which Box2D requires.
    """
    first = 0
    for i in range(1, count):
        if xs[i] > xs[first] or (xs[i] == xs[first] and ys[i] < ys[first]):
            first = i
    size = 0
    at = first
    while True:
        if size == MAX_VERTICES:
            return False
        polygon.x[size] = xs[at]
        polygon.y[size] = ys[at]
        end = 0
        for j in range(1, count):
            if end == at:
                end = j
                continue
            r_x, r_y = xs[end] - xs[at], ys[end] - ys[at]
            v_x, v_y = xs[j] - xs[at], ys[j] - ys[at]
            cross = r_x * v_y - r_y * v_x
            if cross < ZERO or (cross == ZERO and v_x * v_x + v_y * v_y > r_x * r_x + r_y * r_y):
                end = j
        size += 1
        at = end
        if end == first:
            break
    polygon.count = size
    if size < 3:
        return False
    for i in range(size):
        k = i + 1 if i + 1 < size else 0
        x, y = polygon.x[k] - polygon.x[i], polygon.y[k] - polygon.y[i]
        if not x * x + y * y > EPSILON * EPSILON:
            return False
        polygon.normal_x[i], polygon.normal_y[i], _ = normalize(y, -x)
    return _set_centroid(polygon)


@kernel
def _set_centroid(polygon: Record) -> bool:
    c_x, c_y, area = ZERO, ZERO, ZERO
    for i in range(polygon.count):
        k = i + 1 if i + 1 < polygon.count else 0
        x1, y1, x2, y2 = polygon.x[i], polygon.y[i], polygon.x[k], polygon.y[k]
        triangle = HALF * (x1 * y2 - y1 * x2)
        area += triangle
        weight = triangle * _THIRD
        c_x += weight * (x1 + x2)
        c_y += weight * (y1 + y2)
    if not area > EPSILON:
        return False
    inverse = ONE / area
    polygon.centroid_x = c_x * inverse
    polygon.centroid_y = c_y * inverse
    return True


@kernel
def mass_of(polygon: Record, density: Number) -> tuple[Number, Number, Number, Number]:
    """Mass, centre of mass (x, y), and moment of inertia about the origin."""
    s_x, s_y = ZERO, ZERO
    for i in range(polygon.count):
        s_x += polygon.x[i]
        s_y += polygon.y[i]
    inverse_count = ONE / float32(polygon.count)
    s_x *= inverse_count
    s_y *= inverse_count
    c_x, c_y, area, inertia = ZERO, ZERO, ZERO, ZERO
    for i in range(polygon.count):
        k = i + 1 if i + 1 < polygon.count else 0
        x1, y1 = polygon.x[i] - s_x, polygon.y[i] - s_y
        x2, y2 = polygon.x[k] - s_x, polygon.y[k] - s_y
        d = x1 * y2 - y1 * x2
        triangle = HALF * d
        area += triangle
        weight = triangle * _THIRD
        c_x += weight * (x1 + x2)
        c_y += weight * (y1 + y2)
        squares_x = x1 * x1 + x2 * x1 + x2 * x2
        squares_y = y1 * y1 + y2 * y1 + y2 * y2
        inertia += (_QUARTER * _THIRD * d) * (squares_x + squares_y)
    mass = density * area
    inverse = ONE / area
    c_x *= inverse
    c_y *= inverse
    center_x, center_y = c_x + s_x, c_y + s_y
    inertia = density * inertia
    inertia += mass * ((center_x * center_x + center_y * center_y) - (c_x * c_x + c_y * c_y))
    return mass, center_x, center_y, inertia


@kernel
def bounds_of(
    polygon: Record, p_x: Number, p_y: Number, q_s: Number, q_c: Number
) -> tuple[Number, Number, Number, Number]:
    """The box around a polygon and its skin, at a position and rotation: lower x and y, upper x and y."""
    x, y = polygon.x[0], polygon.y[0]
    lower_x = upper_x = (q_c * x - q_s * y) + p_x
    lower_y = upper_y = (q_s * x + q_c * y) + p_y
    for i in range(1, polygon.count):
        x, y = polygon.x[i], polygon.y[i]
        at_x = (q_c * x - q_s * y) + p_x
        at_y = (q_s * x + q_c * y) + p_y
        lower_x, lower_y = minimum(lower_x, at_x), minimum(lower_y, at_y)
        upper_x, upper_y = maximum(upper_x, at_x), maximum(upper_y, at_y)
    return (
        lower_x - POLYGON_RADIUS,
        lower_y - POLYGON_RADIUS,
        upper_x + POLYGON_RADIUS,
        upper_y + POLYGON_RADIUS,
    )


@kernel
def set_extended_box(box: Record, bounds: tuple[Number, Number, Number, Number]) -> None:
    """Write a box a little larger than the bounds, for the broad phase."""
    box.lower_x = bounds[0] - AABB_EXTENSION
    box.lower_y = bounds[1] - AABB_EXTENSION
    box.upper_x = bounds[2] + AABB_EXTENSION
    box.upper_y = bounds[3] + AABB_EXTENSION


@kernel
def set_part(
    part: Record, xs: Record, ys: Record, is_box: bool, density: Number, friction1: Number, friction2: Number
) -> bool:
    """Compute a part's shape and mass (b2Body::ResetMassData); False if the shape has no area."""
    if is_box:
        set_box(part.polygon, xs[2], ys[2])
    elif not set_polygon(part.polygon, xs, ys, len(xs)):
        return False
    mass, c_x, c_y, inertia = mass_of(part.polygon, density)
    part.inv_mass = ONE / mass
    part.center_x, part.center_y = mass * c_x * part.inv_mass, mass * c_y * part.inv_mass
    part.inv_i = ONE / (inertia - mass * (part.center_x * part.center_x + part.center_y * part.center_y))
    part.friction = sqrt(friction1 * friction2)
    part.reach = ZERO
    for i in range(part.polygon.count):
        x, y = part.polygon.x[i] - part.center_x, part.polygon.y[i] - part.center_y
        part.reach = maximum(part.reach, sqrt(x * x + y * y))
    return bool(part.inv_mass > ZERO and part.inv_i > ZERO)

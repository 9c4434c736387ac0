"""Narrow phase: where a part touches an obstacle or an edge (b2CollidePolygon.cpp, b2CollideEdge.cpp)."""

from __future__ import annotations

from numpy import float32, int32

from .kernel import Number, Record, kernel
from .layout import FACE_A, FACE_B
from .settings import ANGULAR_SLOP, HALF, MAX_FLOAT, POLYGON_RADIUS, TWO, ZERO
from .shapes import normalize
from .transform import IDENTITY, Transform, rotate, transform_point, unrotate, untransform_point

_TOTAL_RADIUS = TWO * POLYGON_RADIUS
_RELATIVE_TOLERANCE = float32(0.98)
_ABSOLUTE_TOLERANCE = float32(0.001)

_VERTEX, _FACE = 0, 1


@kernel
def _feature_key(index_a: int, index_b: int, type_a: int, type_b: int) -> Number:
    """Identifier of a contact point across steps (b2ContactID)."""
    return int32(index_a | (index_b << 8) | (type_a << 16) | (type_b << 24))


@kernel
def _swapped_key(key: Number) -> Number:
    return int32(
        ((key & 0xFF) << 8)
        | ((key >> 8) & 0xFF)
        | (((key >> 16) & 0xFF) << 24)
        | (((key >> 24) & 0xFF) << 16)
    )


@kernel
def _clip_segment_to_line(
    scratch: Record, stage: int, normal_x: Number, normal_y: Number, offset: Number, index_a: int
) -> bool:
    """Clip the segment in `stage` at a line, into the next stage.

    Returns:
        Whether two points are left.
    """
    x, y, keys = scratch.clip_x[stage], scratch.clip_y[stage], scratch.clip_key[stage]
    out_x, out_y, out_keys = scratch.clip_x[stage + 1], scratch.clip_y[stage + 1], scratch.clip_key[stage + 1]
    distance0 = (normal_x * x[0] + normal_y * y[0]) - offset
    distance1 = (normal_x * x[1] + normal_y * y[1]) - offset
    count = 0
    if distance0 <= ZERO:
        out_x[count], out_y[count], out_keys[count] = x[0], y[0], keys[0]
        count += 1
    if distance1 <= ZERO:
        out_x[count], out_y[count], out_keys[count] = x[1], y[1], keys[1]
        count += 1
    if distance0 * distance1 < ZERO:
        at = distance0 / (distance0 - distance1)
        out_x[count] = x[0] + at * (x[1] - x[0])
        out_y[count] = y[0] + at * (y[1] - y[0])
        out_keys[count] = _feature_key(index_a, (keys[0] >> 8) & 0xFF, _VERTEX, _FACE)
        count += 1
    return count == 2


@kernel
def collide_edge_and_polygon(
    manifold: Record, segment: Record, polygon: Record, xf: Transform, scratch: Record
) -> None:
    """Find the points where a part touches one edge of the ground, which has no neighbours."""
    manifold.count = 0
    x1, y1, x2, y2 = segment.x1, segment.y1, segment.x2, segment.y2
    normal1_x, normal1_y = segment.normal_x, segment.normal_y
    centroid_x, centroid_y = transform_point(xf, polygon.centroid_x, polygon.centroid_y)
    front = normal1_x * (centroid_x - x1) + normal1_y * (centroid_y - y1) >= ZERO
    normal_x = normal1_x if front else -normal1_x
    normal_y = normal1_y if front else -normal1_y

    frame = scratch.frame
    count = polygon.count
    for i in range(count):
        frame.x[i], frame.y[i] = transform_point(xf, polygon.x[i], polygon.y[i])

    # Along the edge's normal.
    edge_separation = MAX_FLOAT
    for i in range(count):
        s = normal_x * (frame.x[i] - x1) + normal_y * (frame.y[i] - y1)
        if s < edge_separation:
            edge_separation = s
    if edge_separation > _TOTAL_RADIUS:
        return

    # Along the normals of the polygon.
    polygon_separation, polygon_index = -MAX_FLOAT, -1
    for i in range(count):
        frame.normal_x[i], frame.normal_y[i] = rotate(xf, polygon.normal_x[i], polygon.normal_y[i])
        n_x, n_y = -frame.normal_x[i], -frame.normal_y[i]
        s1 = n_x * (frame.x[i] - x1) + n_y * (frame.y[i] - y1)
        s2 = n_x * (frame.x[i] - x2) + n_y * (frame.y[i] - y2)
        s = s1 if s1 < s2 else s2
        if s > _TOTAL_RADIUS:
            return
        # Without neighbours, all normals count except those opposed to the edge's own.
        if (n_x + normal_x) * normal_x + (n_y + normal_y) * normal_y < -ANGULAR_SLOP:
            continue
        if s > polygon_separation:
            polygon_separation, polygon_index = s, i

    key_x, key_y, keys = scratch.clip_x[0], scratch.clip_y[0], scratch.clip_key[0]
    edge_is_face = (
        polygon_index < 0
        or not polygon_separation > _RELATIVE_TOLERANCE * edge_separation + _ABSOLUTE_TOLERANCE
    )
    if edge_is_face:
        best, best_value = 0, normal_x * frame.normal_x[0] + normal_y * frame.normal_y[0]
        for i in range(1, count):
            value = normal_x * frame.normal_x[i] + normal_y * frame.normal_y[i]
            if value < best_value:
                best, best_value = i, value
        i1 = best
        i2 = i1 + 1 if i1 + 1 < count else 0
        key_x[0], key_y[0], keys[0] = frame.x[i1], frame.y[i1], _feature_key(0, i1, _FACE, _VERTEX)
        key_x[1], key_y[1], keys[1] = frame.x[i2], frame.y[i2], _feature_key(0, i2, _FACE, _VERTEX)
        i1, i2 = (0, 1) if front else (1, 0)
        v1_x, v1_y = (x1, y1) if front else (x2, y2)
        v2_x, v2_y = (x2, y2) if front else (x1, y1)
        face_x, face_y = normal_x, normal_y
    else:
        key_x[0], key_y[0], keys[0] = x1, y1, _feature_key(0, polygon_index, _VERTEX, _FACE)
        key_x[1], key_y[1], keys[1] = x2, y2, _feature_key(0, polygon_index, _VERTEX, _FACE)
        i1 = polygon_index
        i2 = i1 + 1 if i1 + 1 < count else 0
        v1_x, v1_y = frame.x[i1], frame.y[i1]
        v2_x, v2_y = frame.x[i2], frame.y[i2]
        face_x, face_y = frame.normal_x[i1], frame.normal_y[i1]

    side_x, side_y = face_y, -face_x
    if not _clip_segment_to_line(scratch, 0, side_x, side_y, side_x * v1_x + side_y * v1_y, i1):
        return
    if not _clip_segment_to_line(scratch, 1, -side_x, -side_y, -side_x * v2_x + -side_y * v2_y, i2):
        return

    if edge_is_face:
        manifold.face = FACE_A
        manifold.normal_x, manifold.normal_y = face_x, face_y
        manifold.point_x, manifold.point_y = v1_x, v1_y
    else:
        manifold.face = FACE_B
        manifold.normal_x, manifold.normal_y = polygon.normal_x[i1], polygon.normal_y[i1]
        manifold.point_x, manifold.point_y = polygon.x[i1], polygon.y[i1]
    points = 0
    for i in range(2):
        x, y, key = scratch.clip_x[2, i], scratch.clip_y[2, i], scratch.clip_key[2, i]
        if face_x * (x - v1_x) + face_y * (y - v1_y) <= _TOTAL_RADIUS:
            if edge_is_face:
                manifold.x[points], manifold.y[points] = untransform_point(xf, x, y)
                manifold.key[points] = key
            else:
                manifold.x[points], manifold.y[points] = x, y
                manifold.key[points] = _swapped_key(key)
            points += 1
    manifold.count = points


@kernel
def _edge_separation(poly1: Record, xf1: Transform, edge: int, poly2: Record, xf2: Transform) -> Number:
    """Separation of the second polygon from an edge of the first."""
    world_x, world_y = rotate(xf1, poly1.normal_x[edge], poly1.normal_y[edge])
    n_x, n_y = unrotate(xf2, world_x, world_y)
    index, least = 0, MAX_FLOAT
    for i in range(poly2.count):
        dot = poly2.x[i] * n_x + poly2.y[i] * n_y
        if dot < least:
            index, least = i, dot
    v1_x, v1_y = transform_point(xf1, poly1.x[edge], poly1.y[edge])
    v2_x, v2_y = transform_point(xf2, poly2.x[index], poly2.y[index])
    return (v2_x - v1_x) * world_x + (v2_y - v1_y) * world_y


@kernel
def _find_max_separation(poly1: Record, xf1: Transform, poly2: Record, xf2: Transform) -> tuple[int, Number]:
    """The edge of the first polygon with the largest separation from the second, and this separation."""
    count = poly1.count
    b_x, b_y = transform_point(xf2, poly2.centroid_x, poly2.centroid_y)
    a_x, a_y = transform_point(xf1, poly1.centroid_x, poly1.centroid_y)
    d_x, d_y = unrotate(xf1, b_x - a_x, b_y - a_y)
    edge, most = 0, -MAX_FLOAT
    for i in range(count):
        dot = poly1.normal_x[i] * d_x + poly1.normal_y[i] * d_y
        if dot > most:
            edge, most = i, dot

    s = _edge_separation(poly1, xf1, edge, poly2, xf2)
    previous = edge - 1 if edge >= 1 else count - 1
    s_previous = _edge_separation(poly1, xf1, previous, poly2, xf2)
    following = edge + 1 if edge + 1 < count else 0
    s_following = _edge_separation(poly1, xf1, following, poly2, xf2)
    if s_previous > s and s_previous > s_following:
        forward, best, best_s = False, previous, s_previous
    elif s_following > s:
        forward, best, best_s = True, following, s_following
    else:
        return edge, s

    while True:
        edge = (best + 1 if best + 1 < count else 0) if forward else best - 1 if best >= 1 else count - 1
        s = _edge_separation(poly1, xf1, edge, poly2, xf2)
        if not s > best_s:
            return best, best_s
        best, best_s = edge, s


@kernel
def _clip_polygons(
    manifold: Record,
    poly1: Record,
    xf1: Transform,
    edge: int,
    poly2: Record,
    xf2: Transform,
    flip: bool,
    scratch: Record,
) -> None:
    """Clip the second polygon's incident edge to the first's reference edge, and keep near points."""
    world_x, world_y = rotate(xf1, poly1.normal_x[edge], poly1.normal_y[edge])
    n_x, n_y = unrotate(xf2, world_x, world_y)
    index, least = 0, MAX_FLOAT
    for i in range(poly2.count):
        dot = n_x * poly2.normal_x[i] + n_y * poly2.normal_y[i]
        if dot < least:
            index, least = i, dot
    following = index + 1 if index + 1 < poly2.count else 0
    scratch.clip_x[0, 0], scratch.clip_y[0, 0] = transform_point(xf2, poly2.x[index], poly2.y[index])
    scratch.clip_x[0, 1], scratch.clip_y[0, 1] = transform_point(xf2, poly2.x[following], poly2.y[following])
    scratch.clip_key[0, 0] = _feature_key(edge, index, _FACE, _VERTEX)
    scratch.clip_key[0, 1] = _feature_key(edge, following, _FACE, _VERTEX)

    i1 = edge
    i2 = edge + 1 if edge + 1 < poly1.count else 0
    x1, y1, x2, y2 = poly1.x[i1], poly1.y[i1], poly1.x[i2], poly1.y[i2]
    local_x, local_y, _ = normalize(x2 - x1, y2 - y1)
    plane_x, plane_y = HALF * (x1 + x2), HALF * (y1 + y2)
    tangent_x, tangent_y = rotate(xf1, local_x, local_y)
    normal_x, normal_y = tangent_y, -tangent_x
    v1_x, v1_y = transform_point(xf1, x1, y1)
    v2_x, v2_y = transform_point(xf1, x2, y2)
    front = normal_x * v1_x + normal_y * v1_y
    side1 = -(tangent_x * v1_x + tangent_y * v1_y) + _TOTAL_RADIUS
    side2 = (tangent_x * v2_x + tangent_y * v2_y) + _TOTAL_RADIUS
    if not _clip_segment_to_line(scratch, 0, -tangent_x, -tangent_y, side1, i1):
        return
    if not _clip_segment_to_line(scratch, 1, tangent_x, tangent_y, side2, i2):
        return

    manifold.face = FACE_B if flip else FACE_A
    manifold.normal_x, manifold.normal_y = local_y, -local_x
    manifold.point_x, manifold.point_y = plane_x, plane_y
    points = 0
    for i in range(2):
        x, y, key = scratch.clip_x[2, i], scratch.clip_y[2, i], scratch.clip_key[2, i]
        if (normal_x * x + normal_y * y) - front <= _TOTAL_RADIUS:
            manifold.x[points], manifold.y[points] = untransform_point(xf2, x, y)
            manifold.key[points] = _swapped_key(key) if flip else key
            points += 1
    manifold.count = points


@kernel
def collide_polygons(
    manifold: Record, obstacle: Record, polygon: Record, xf: Transform, scratch: Record
) -> None:
    """Find the points where a part touches an obstacle."""
    manifold.count = 0
    edge_a, separation_a = _find_max_separation(obstacle, IDENTITY, polygon, xf)
    if separation_a > _TOTAL_RADIUS:
        return
    edge_b, separation_b = _find_max_separation(polygon, xf, obstacle, IDENTITY)
    if separation_b > _TOTAL_RADIUS:
        return
    if separation_b > _RELATIVE_TOLERANCE * separation_a + _ABSOLUTE_TOLERANCE:
        _clip_polygons(manifold, polygon, xf, edge_b, obstacle, IDENTITY, True, scratch)
    else:
        _clip_polygons(manifold, obstacle, IDENTITY, edge_a, polygon, xf, False, scratch)

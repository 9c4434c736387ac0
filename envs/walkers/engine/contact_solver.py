"""Constraints of contacts (b2ContactSolver.cpp), for one world or for lanes of worlds.

The track never moves, so half of Box2D's terms are zero and omitted, which does not change the others. A row
of the solver is one contact of the same part in every lane; if a lane has no such contact, its numbers are
zero and have no effect. Surfaces do not bounce: there is no velocity bias.
"""

from __future__ import annotations

from numpy import float32

from .kernel import Flag, Lane, Number, Record, kernel
from .lanes import clamp, load, maximum, minimum, select, store
from .layout import FACE_A
from .settings import HALF, LINEAR_SLOP, MAX_LINEAR_CORRECTION, ONE, POLYGON_RADIUS, TWO, ZERO
from .transform import rotate, transform_at, transform_point

_FACE_A = float32(FACE_A)
_MAX_CONDITION_NUMBER = float32(1000.0)


@kernel
def _world_point(
    solver: Record, row: int, xf: tuple[Lane, Lane, Lane, Lane], x: Lane, y: Lane
) -> tuple[Lane, Lane]:
    """The middle between the two skins at a contact point (b2WorldManifold::Initialize)."""
    on_track = load(solver.face, row) == _FACE_A
    local_x, local_y = load(solver.local_normal_x, row), load(solver.local_normal_y, row)
    turned_x, turned_y = rotate(xf, local_x, local_y)
    n_x, n_y = select(on_track, local_x, turned_x), select(on_track, local_y, turned_y)
    plane_x, plane_y = load(solver.local_point_x, row), load(solver.local_point_y, row)
    moved_x, moved_y = transform_point(xf, plane_x, plane_y)
    plane_x, plane_y = select(on_track, plane_x, moved_x), select(on_track, plane_y, moved_y)
    moved_x, moved_y = transform_point(xf, x, y)
    clip_x, clip_y = select(on_track, moved_x, x), select(on_track, moved_y, y)
    depth = POLYGON_RADIUS - ((clip_x - plane_x) * n_x + (clip_y - plane_y) * n_y)
    first_x, first_y = clip_x + depth * n_x, clip_y + depth * n_y
    second_x, second_y = clip_x - POLYGON_RADIUS * n_x, clip_y - POLYGON_RADIUS * n_y
    return HALF * (first_x + second_x), HALF * (first_y + second_y)


@kernel
def init_contact(solver: Record, body: Record, row: int) -> None:
    """Prepare a row for the velocity iterations."""
    b = solver.row_part[row]
    part = body.parts[b]
    m, i = part.inv_mass, part.inv_i
    c_x, c_y = load(solver.c_x, b), load(solver.c_y, b)
    xf = transform_at(c_x, c_y, load(solver.a, b), part.center_x, part.center_y)
    on_track = load(solver.face, row) == _FACE_A
    local_x, local_y = load(solver.local_normal_x, row), load(solver.local_normal_y, row)
    turned_x, turned_y = rotate(xf, local_x, local_y)
    n_x, n_y = select(on_track, local_x, -turned_x), select(on_track, local_y, -turned_y)
    store(solver.normal_x, row, n_x)
    store(solver.normal_y, row, n_y)
    # Lanes without a contact get no mass here.
    present = load(solver.points, row) > ZERO

    x, y = _world_point(solver, row, xf, load(solver.point1_x, row), load(solver.point1_y, row))
    r1_x, r1_y = select(present, x - c_x, ZERO), select(present, y - c_y, ZERO)
    rn1 = r1_x * n_y - r1_y * n_x
    k11 = m + i * rn1 * rn1
    rt = r1_x * -n_x - r1_y * n_y
    store(solver.r1_x, row, r1_x)
    store(solver.r1_y, row, r1_y)
    store(solver.normal_mass1, row, select(present, ONE / k11, ZERO))
    store(solver.tangent_mass1, row, select(present, ONE / (m + i * rt * rt), ZERO))
    store(solver.solved_points, row, load(solver.points, row))
    dt_ratio = load(solver.dt_ratio, 0)
    store(solver.normal_impulse1, row, dt_ratio * load(solver.normal_impulse1, row))
    store(solver.tangent_impulse1, row, dt_ratio * load(solver.tangent_impulse1, row))
    if solver.row_points[row] < 2:
        return

    has_two = load(solver.points, row) == TWO
    x, y = _world_point(solver, row, xf, load(solver.point2_x, row), load(solver.point2_y, row))
    r2_x, r2_y = select(has_two, x - c_x, ZERO), select(has_two, y - c_y, ZERO)
    rn2 = r2_x * n_y - r2_y * n_x
    k22 = m + i * rn2 * rn2
    k12 = m + i * rn1 * rn2
    rt = r2_x * -n_x - r2_y * n_y
    # Points that are nearly the same are solved as one.
    det = k11 * k22 - k12 * k12
    solved_two = has_two & (k11 * k11 < _MAX_CONDITION_NUMBER * det)
    inv_det = select(det != ZERO, ONE / det, det)
    store(solver.r2_x, row, r2_x)
    store(solver.r2_y, row, r2_y)
    store(solver.normal_mass2, row, select(solved_two, ONE / k22, ZERO))
    store(solver.tangent_mass2, row, select(solved_two, ONE / (m + i * rt * rt), ZERO))
    store(solver.k11, row, k11)
    store(solver.k12, row, k12)
    store(solver.k22, row, k22)
    store(solver.inv11, row, inv_det * k22)
    store(solver.inv12, row, -inv_det * k12)
    store(solver.inv22, row, inv_det * k11)
    store(solver.solved_points, row, select(solved_two, TWO, minimum(load(solver.points, row), ONE)))
    impulse = select(solved_two, dt_ratio * load(solver.normal_impulse2, row), ZERO)
    store(solver.normal_impulse2, row, impulse)
    impulse = select(solved_two, dt_ratio * load(solver.tangent_impulse2, row), ZERO)
    store(solver.tangent_impulse2, row, impulse)


@kernel
def warm_start_contact(solver: Record, body: Record, row: int) -> None:
    """Warm start: apply the contact's impulses of the last step."""
    b = solver.row_part[row]
    m, i = body.parts[b].inv_mass, body.parts[b].inv_i
    n_x, n_y = load(solver.normal_x, row), load(solver.normal_y, row)
    v_x, v_y, w = load(solver.v_x, b), load(solver.v_y, b), load(solver.w, b)
    normal_impulse, tangent_impulse = load(solver.normal_impulse1, row), load(solver.tangent_impulse1, row)
    p_x = normal_impulse * n_x + tangent_impulse * n_y
    p_y = normal_impulse * n_y + tangent_impulse * -n_x
    w = w + i * (load(solver.r1_x, row) * p_y - load(solver.r1_y, row) * p_x)
    v_x = v_x + m * p_x
    v_y = v_y + m * p_y
    if solver.row_points[row] == 2:
        normal_impulse = load(solver.normal_impulse2, row)
        tangent_impulse = load(solver.tangent_impulse2, row)
        p_x = normal_impulse * n_x + tangent_impulse * n_y
        p_y = normal_impulse * n_y + tangent_impulse * -n_x
        w = w + i * (load(solver.r2_x, row) * p_y - load(solver.r2_y, row) * p_x)
        v_x = v_x + m * p_x
        v_y = v_y + m * p_y
    store(solver.v_x, b, v_x)
    store(solver.v_y, b, v_y)
    store(solver.w, b, w)


@kernel
def solve_contact_velocity(solver: Record, body: Record, row: int) -> None:
    """One velocity iteration of a row: friction first, since non-penetration matters more."""
    b = solver.row_part[row]
    part = body.parts[b]
    m, i, friction = part.inv_mass, part.inv_i, part.friction
    two = solver.row_points[row] == 2
    n_x, n_y = load(solver.normal_x, row), load(solver.normal_y, row)
    t_x, t_y = n_y, -n_x
    v_x, v_y, w = load(solver.v_x, b), load(solver.v_y, b), load(solver.w, b)
    r1_x, r1_y = load(solver.r1_x, row), load(solver.r1_y, row)
    impulse1 = load(solver.normal_impulse1, row)

    dv_x, dv_y = v_x + -w * r1_y, v_y + w * r1_x
    change = load(solver.tangent_mass1, row) * -(dv_x * t_x + dv_y * t_y)
    most = friction * impulse1
    old = load(solver.tangent_impulse1, row)
    new = clamp(old + change, -most, most)
    store(solver.tangent_impulse1, row, new)
    p_x, p_y = (new - old) * t_x, (new - old) * t_y
    v_x, v_y = v_x + m * p_x, v_y + m * p_y
    w = w + i * (r1_x * p_y - r1_y * p_x)

    if not two:
        dv_x, dv_y = v_x + -w * r1_y, v_y + w * r1_x
        change = -load(solver.normal_mass1, row) * (dv_x * n_x + dv_y * n_y)
        new = maximum(impulse1 + change, ZERO)
        store(solver.normal_impulse1, row, new)
        p_x, p_y = (new - impulse1) * n_x, (new - impulse1) * n_y
        store(solver.v_x, b, v_x + m * p_x)
        store(solver.v_y, b, v_y + m * p_y)
        store(solver.w, b, w + i * (r1_x * p_y - r1_y * p_x))
        return

    r2_x, r2_y = load(solver.r2_x, row), load(solver.r2_y, row)
    impulse2 = load(solver.normal_impulse2, row)
    dv_x, dv_y = v_x + -w * r2_y, v_y + w * r2_x
    change = load(solver.tangent_mass2, row) * -(dv_x * t_x + dv_y * t_y)
    most = friction * impulse2
    old = load(solver.tangent_impulse2, row)
    new = clamp(old + change, -most, most)
    store(solver.tangent_impulse2, row, new)
    p_x, p_y = (new - old) * t_x, (new - old) * t_y
    v_x, v_y = v_x + m * p_x, v_y + m * p_y
    w = w + i * (r2_x * p_y - r2_y * p_x)

    # Both points as one linear complementarity problem, by trying its four cases: both push, only the
    # first, only the second, none. If no case holds, impulses are not changed.
    mass1, mass2 = load(solver.normal_mass1, row), load(solver.normal_mass2, row)
    k11, k12, k22 = load(solver.k11, row), load(solver.k12, row), load(solver.k22, row)
    inv11, inv12, inv22 = load(solver.inv11, row), load(solver.inv12, row), load(solver.inv22, row)
    dv_x, dv_y = v_x + -w * r1_y, v_y + w * r1_x
    vn1 = dv_x * n_x + dv_y * n_y
    dv_x, dv_y = v_x + -w * r2_y, v_y + w * r2_x
    vn2 = dv_x * n_x + dv_y * n_y
    b1 = vn1 - (k11 * impulse1 + k12 * impulse2)
    b2 = vn2 - (k12 * impulse1 + k22 * impulse2)

    none = (b1 >= ZERO) & (b2 >= ZERO)
    x1, x2 = select(none, ZERO, impulse1), select(none, ZERO, impulse2)
    second = -mass2 * b2
    only_second = (second >= ZERO) & (k12 * second + b1 >= ZERO)
    x1, x2 = select(only_second, ZERO, x1), select(only_second, second, x2)
    first = -mass1 * b1
    only_first = (first >= ZERO) & (k12 * first + b2 >= ZERO)
    x1, x2 = select(only_first, first, x1), select(only_first, ZERO, x2)
    first, second = -(inv11 * b1 + inv12 * b2), -(inv12 * b1 + inv22 * b2)
    both = (first >= ZERO) & (second >= ZERO)
    x1, x2 = select(both, first, x1), select(both, second, x2)

    # Lanes with one point.
    single = load(solver.solved_points, row) == ONE
    x1 = select(single, maximum(impulse1 + -mass1 * vn1, ZERO), x1)
    x2 = select(single, ZERO, x2)

    store(solver.normal_impulse1, row, x1)
    store(solver.normal_impulse2, row, x2)
    d1, d2 = x1 - impulse1, x2 - impulse2
    p1_x, p1_y = d1 * n_x, d1 * n_y
    p2_x, p2_y = d2 * n_x, d2 * n_y
    store(solver.v_x, b, v_x + m * (p1_x + p2_x))
    store(solver.v_y, b, v_y + m * (p1_y + p2_y))
    store(solver.w, b, w + i * ((r1_x * p1_y - r1_y * p1_x) + (r2_x * p2_y - r2_y * p2_x)))


@kernel
def solve_contact_position(
    solver: Record, body: Record, row: int, baumgarte: Number, active: Flag, separation: Lane
) -> Lane:
    """One position iteration of a row, in the worlds that are still active.

    Returns:
        The smallest separation: `separation` or that of one of the row's points.
    """
    b = solver.row_part[row]
    part = body.parts[b]
    m, i = part.inv_mass, part.inv_i
    old_x, old_y, old_a = load(solver.c_x, b), load(solver.c_y, b), load(solver.a, b)
    c_x, c_y, a = old_x, old_y, old_a
    on_track = load(solver.face, row) == _FACE_A
    local_x, local_y = load(solver.local_normal_x, row), load(solver.local_normal_y, row)
    plane_x, plane_y = load(solver.local_point_x, row), load(solver.local_point_y, row)
    points = load(solver.points, row)
    for j in range(solver.row_points[row]):
        if j == 0:
            x, y, present = load(solver.point1_x, row), load(solver.point1_y, row), points > ZERO
        else:
            x, y, present = load(solver.point2_x, row), load(solver.point2_y, row), points == TWO
        xf = transform_at(c_x, c_y, a, part.center_x, part.center_y)
        turned_x, turned_y = rotate(xf, local_x, local_y)
        n_x, n_y = select(on_track, local_x, turned_x), select(on_track, local_y, turned_y)
        moved_x, moved_y = transform_point(xf, plane_x, plane_y)
        at_x, at_y = select(on_track, plane_x, moved_x), select(on_track, plane_y, moved_y)
        moved_x, moved_y = transform_point(xf, x, y)
        clip_x, clip_y = select(on_track, moved_x, x), select(on_track, moved_y, y)
        depth = ((clip_x - at_x) * n_x + (clip_y - at_y) * n_y) - POLYGON_RADIUS - POLYGON_RADIUS
        separation = select(present, minimum(separation, depth), separation)
        n_x, n_y = select(on_track, n_x, -n_x), select(on_track, n_y, -n_y)
        r_x, r_y = clip_x - c_x, clip_y - c_y
        error = clamp(baumgarte * (depth + LINEAR_SLOP), -MAX_LINEAR_CORRECTION, ZERO)
        rn = r_x * n_y - r_y * n_x
        impulse = select(present, -error / (m + i * rn * rn), ZERO)
        p_x, p_y = impulse * n_x, impulse * n_y
        c_x, c_y = c_x + m * p_x, c_y + m * p_y
        a = a + i * (r_x * p_y - r_y * p_x)
    store(solver.c_x, b, select(active, c_x, old_x))
    store(solver.c_y, b, select(active, c_y, old_y))
    store(solver.a, b, select(active, a, old_a))
    return separation

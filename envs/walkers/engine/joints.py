"""Revolute joints with motor and limits (b2RevoluteJoint.cpp), for one world or for lanes of worlds.

Matrices are symmetric: `ex_x, ey_x, ez_x, ey_y, ez_y` and the inertias make up `m_mass`. Their determinants
do not change over the iterations, so their inverses are computed once.
"""

from __future__ import annotations

from numpy import float32

from .kernel import Flag, Record, kernel
from .lanes import absolute, any_lane, clamp, load, rotation, select, sqrt, store
from .settings import ANGULAR_SLOP, LINEAR_SLOP, MAX_ANGULAR_CORRECTION, ONE, ZERO

INACTIVE_LIMIT, AT_LOWER_LIMIT, AT_UPPER_LIMIT, EQUAL_LIMITS = (float32(i) for i in range(4))


@kernel
def init_joint(solver: Record, body: Record, j: int) -> None:
    """Prepare a joint for the velocity iterations, and apply its impulses of the last step."""
    joint = body.joints[j]
    parent, child = joint.parent, joint.child
    m_a, m_b = body.parts[parent].inv_mass, body.parts[child].inv_mass
    i_a, i_b = body.parts[parent].inv_i, body.parts[child].inv_i
    a_a, a_b = load(solver.a, parent), load(solver.a, child)
    s, c = rotation(a_a)
    r_a_x, r_a_y = c * joint.anchor_a_x - s * joint.anchor_a_y, s * joint.anchor_a_x + c * joint.anchor_a_y
    s, c = rotation(a_b)
    r_b_x, r_b_y = c * joint.anchor_b_x - s * joint.anchor_b_y, s * joint.anchor_b_x + c * joint.anchor_b_y

    m = m_a + m_b
    ex_x = (m + r_a_y * r_a_y * i_a) + r_b_y * r_b_y * i_b
    ey_x = -r_a_y * r_a_x * i_a - r_b_y * r_b_x * i_b
    ez_x = -r_a_y * i_a - r_b_y * i_b
    ey_y = (m + r_a_x * r_a_x * i_a) + r_b_x * r_b_x * i_b
    ez_y = r_a_x * i_a + r_b_x * i_b
    ez_z = i_a + i_b

    det22 = ex_x * ey_y - ey_x * ey_x
    # The cross product of the second and third column.
    cross_x, cross_y, cross_z = (
        ey_y * ez_z - ez_y * ez_y,
        ez_y * ez_x - ey_x * ez_z,
        ey_x * ez_y - ey_y * ez_x,
    )
    det33 = (ex_x * cross_x + ey_x * cross_y) + ez_x * cross_z
    store(solver.inv_det22, j, select(det22 != ZERO, ONE / det22, det22))
    store(solver.inv_det33, j, select(det33 != ZERO, ONE / det33, det33))
    store(solver.cross_x, j, cross_x)
    store(solver.cross_y, j, cross_y)
    store(solver.cross_z, j, cross_z)
    store(solver.r_a_x, j, r_a_x)
    store(solver.r_a_y, j, r_a_y)
    store(solver.r_b_x, j, r_b_x)
    store(solver.r_b_y, j, r_b_y)
    store(solver.ex_x, j, ex_x)
    store(solver.ey_x, j, ey_x)
    store(solver.ez_x, j, ez_x)
    store(solver.ey_y, j, ey_y)
    store(solver.ez_y, j, ez_y)

    impulse_z = load(solver.impulse_z, j)
    if joint.equal_limits:
        store(solver.limit_state, j, EQUAL_LIMITS)
        solver.limited[j] = 1
    else:
        angle = a_b - a_a - joint.reference_angle
        at_upper = select(angle >= joint.upper_angle, AT_UPPER_LIMIT, INACTIVE_LIMIT)
        state = select(angle <= joint.lower_angle, AT_LOWER_LIMIT, at_upper)
        keeps_impulse = (state == load(solver.limit_state, j)) & (state != INACTIVE_LIMIT)
        impulse_z = select(keeps_impulse, impulse_z, ZERO)
        store(solver.limit_state, j, state)
        solver.limited[j] = any_lane(state != INACTIVE_LIMIT)

    dt_ratio = load(solver.dt_ratio, 0)
    impulse_x, impulse_y = load(solver.impulse_x, j) * dt_ratio, load(solver.impulse_y, j) * dt_ratio
    impulse_z = impulse_z * dt_ratio
    motor_impulse = load(solver.motor_impulse, j) * dt_ratio
    store(solver.impulse_x, j, impulse_x)
    store(solver.impulse_y, j, impulse_y)
    store(solver.impulse_z, j, impulse_z)
    store(solver.motor_impulse, j, motor_impulse)

    store(solver.v_x, parent, load(solver.v_x, parent) - m_a * impulse_x)
    store(solver.v_y, parent, load(solver.v_y, parent) - m_a * impulse_y)
    twist = (r_a_x * impulse_y - r_a_y * impulse_x) + motor_impulse + impulse_z
    store(solver.w, parent, load(solver.w, parent) - i_a * twist)
    store(solver.v_x, child, load(solver.v_x, child) + m_b * impulse_x)
    store(solver.v_y, child, load(solver.v_y, child) + m_b * impulse_y)
    twist = (r_b_x * impulse_y - r_b_y * impulse_x) + motor_impulse + impulse_z
    store(solver.w, child, load(solver.w, child) + i_b * twist)


@kernel
def solve_joint_velocity(solver: Record, body: Record, j: int) -> None:
    """One velocity iteration of a joint: motor, then limit and hinge."""
    joint = body.joints[j]
    parent, child = joint.parent, joint.child
    m_a, m_b = body.parts[parent].inv_mass, body.parts[child].inv_mass
    i_a, i_b = body.parts[parent].inv_i, body.parts[child].inv_i
    v_a_x, v_a_y, w_a = load(solver.v_x, parent), load(solver.v_y, parent), load(solver.w, parent)
    v_b_x, v_b_y, w_b = load(solver.v_x, child), load(solver.v_y, child), load(solver.w, child)

    if not joint.equal_limits:
        motor_mass = joint.motor_mass
        old = load(solver.motor_impulse, j)
        most = load(solver.max_motor_impulse, j)
        new = clamp(old + -motor_mass * (w_b - w_a - load(solver.motor_speed, j)), -most, most)
        store(solver.motor_impulse, j, new)
        w_a = w_a - i_a * (new - old)
        w_b = w_b + i_b * (new - old)

    r_a_x, r_a_y = load(solver.r_a_x, j), load(solver.r_a_y, j)
    r_b_x, r_b_y = load(solver.r_b_x, j), load(solver.r_b_y, j)
    ex_x, ey_x, ey_y = load(solver.ex_x, j), load(solver.ey_x, j), load(solver.ey_y, j)
    inv_det22 = load(solver.inv_det22, j)
    dot_x = ((v_b_x + -w_b * r_b_y) - v_a_x) - -w_a * r_a_y
    dot_y = ((v_b_y + w_b * r_b_x) - v_a_y) - w_a * r_a_x
    impulse_x = inv_det22 * (ey_y * -dot_x - ey_x * -dot_y)
    impulse_y = inv_det22 * (ex_x * -dot_y - ey_x * -dot_x)

    if solver.limited[j]:
        state = load(solver.limit_state, j)
        ez_x, ez_y, ez_z = load(solver.ez_x, j), load(solver.ez_y, j), i_a + i_b
        inv_det33 = load(solver.inv_det33, j)
        total_z = load(solver.impulse_z, j)
        dot_z = w_b - w_a
        # -Solve33(Cdot)
        x = -(
            inv_det33
            * (
                (dot_x * load(solver.cross_x, j) + dot_y * load(solver.cross_y, j))
                + dot_z * load(solver.cross_z, j)
            )
        )
        y = -(
            inv_det33
            * (
                (ex_x * (dot_y * ez_z - dot_z * ez_y) + ey_x * (dot_z * ez_x - dot_x * ez_z))
                + ez_x * (dot_x * ez_y - dot_y * ez_x)
            )
        )
        z = -(
            inv_det33
            * (
                (ex_x * (ey_y * dot_z - ez_y * dot_y) + ey_x * (ez_y * dot_x - ey_x * dot_z))
                + ez_x * (ey_x * dot_y - ey_y * dot_x)
            )
        )
        # If the limit would pull, it is released, and the hinge is solved alone.
        right_x, right_y = -dot_x + total_z * ez_x, -dot_y + total_z * ez_y
        reduced_x = inv_det22 * (ey_y * right_x - ey_x * right_y)
        reduced_y = inv_det22 * (ex_x * right_y - ey_x * right_x)
        new_z = total_z + z
        lets_go = ((state == AT_LOWER_LIMIT) & (new_z < ZERO)) | ((state == AT_UPPER_LIMIT) & (new_z > ZERO))
        limited = state != INACTIVE_LIMIT
        impulse_x = select(limited, select(lets_go, reduced_x, x), impulse_x)
        impulse_y = select(limited, select(lets_go, reduced_y, y), impulse_y)
        impulse_z = select(limited, select(lets_go, -total_z, z), ZERO)
        store(solver.impulse_z, j, select(limited, select(lets_go, ZERO, new_z), total_z))
        w_a = w_a - i_a * ((r_a_x * impulse_y - r_a_y * impulse_x) + impulse_z)
        w_b = w_b + i_b * ((r_b_x * impulse_y - r_b_y * impulse_x) + impulse_z)
    else:
        w_a = w_a - i_a * (r_a_x * impulse_y - r_a_y * impulse_x)
        w_b = w_b + i_b * (r_b_x * impulse_y - r_b_y * impulse_x)

    store(solver.impulse_x, j, load(solver.impulse_x, j) + impulse_x)
    store(solver.impulse_y, j, load(solver.impulse_y, j) + impulse_y)
    store(solver.v_x, parent, v_a_x - m_a * impulse_x)
    store(solver.v_y, parent, v_a_y - m_a * impulse_y)
    store(solver.w, parent, w_a)
    store(solver.v_x, child, v_b_x + m_b * impulse_x)
    store(solver.v_y, child, v_b_y + m_b * impulse_y)
    store(solver.w, child, w_b)


@kernel
def solve_joint_position(solver: Record, body: Record, j: int, active: Flag) -> Flag:
    """One position iteration of a joint, in the worlds that are still active.

    Returns:
        Whether its errors were small.
    """
    joint = body.joints[j]
    parent, child = joint.parent, joint.child
    m_a, m_b = body.parts[parent].inv_mass, body.parts[child].inv_mass
    i_a, i_b = body.parts[parent].inv_i, body.parts[child].inv_i
    old_a_a, old_a_b = load(solver.a, parent), load(solver.a, child)
    a_a, a_b = old_a_a, old_a_b
    angular_error = select(active, ZERO, ZERO)

    if solver.limited[j]:
        state = load(solver.limit_state, j)
        motor_mass = joint.motor_mass
        angle = a_b - a_a - joint.reference_angle
        below, above = angle - joint.lower_angle, angle - joint.upper_angle
        at_lower, at_upper, equal = (
            state == AT_LOWER_LIMIT,
            state == AT_UPPER_LIMIT,
            state == EQUAL_LIMITS,
        )
        held = clamp(below, -MAX_ANGULAR_CORRECTION, MAX_ANGULAR_CORRECTION)
        error = select(at_lower, -below, select(at_upper, above, absolute(held)))
        correction = select(
            at_lower,
            clamp(below + ANGULAR_SLOP, -MAX_ANGULAR_CORRECTION, ZERO),
            select(at_upper, clamp(above - ANGULAR_SLOP, ZERO, MAX_ANGULAR_CORRECTION), held),
        )
        limited = at_lower | at_upper | equal
        angular_error = select(limited, error, ZERO)
        limit_impulse = select(limited, -motor_mass * correction, ZERO)
        a_a = a_a - i_a * limit_impulse
        a_b = a_b + i_b * limit_impulse

    s, c = rotation(a_a)
    r_a_x, r_a_y = c * joint.anchor_a_x - s * joint.anchor_a_y, s * joint.anchor_a_x + c * joint.anchor_a_y
    s, c = rotation(a_b)
    r_b_x, r_b_y = c * joint.anchor_b_x - s * joint.anchor_b_y, s * joint.anchor_b_x + c * joint.anchor_b_y
    c_a_x, c_a_y = load(solver.c_x, parent), load(solver.c_y, parent)
    c_b_x, c_b_y = load(solver.c_x, child), load(solver.c_y, child)
    error_x = ((c_b_x + r_b_x) - c_a_x) - r_a_x
    error_y = ((c_b_y + r_b_y) - c_a_y) - r_a_y
    position_error = sqrt(error_x * error_x + error_y * error_y)

    m = m_a + m_b
    k11 = (m + i_a * r_a_y * r_a_y) + i_b * r_b_y * r_b_y
    k12 = -i_a * r_a_x * r_a_y - i_b * r_b_x * r_b_y
    k22 = (m + i_a * r_a_x * r_a_x) + i_b * r_b_x * r_b_x
    det = k11 * k22 - k12 * k12
    inv_det = select(det != ZERO, ONE / det, det)
    impulse_x = -(inv_det * (k22 * error_x - k12 * error_y))
    impulse_y = -(inv_det * (k11 * error_y - k12 * error_x))

    store(solver.c_x, parent, select(active, c_a_x - m_a * impulse_x, c_a_x))
    store(solver.c_y, parent, select(active, c_a_y - m_a * impulse_y, c_a_y))
    a_a = a_a - i_a * (r_a_x * impulse_y - r_a_y * impulse_x)
    store(solver.a, parent, select(active, a_a, old_a_a))
    store(solver.c_x, child, select(active, c_b_x + m_b * impulse_x, c_b_x))
    store(solver.c_y, child, select(active, c_b_y + m_b * impulse_y, c_b_y))
    a_b = a_b + i_b * (r_b_x * impulse_y - r_b_y * impulse_x)
    store(solver.a, child, select(active, a_b, old_a_b))
    return (position_error <= LINEAR_SLOP) & (angular_error <= ANGULAR_SLOP)

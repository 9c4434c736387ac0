"""The discrete step of a walker: velocities, constraints, positions, sleep (b2Island.cpp).

A walker is one island, since joints connect all of its parts, and Box2D's depth-first search always visits
the parts in the same order: contacts are solved part by part in that order, each part's newest first.
"""

from __future__ import annotations

from numpy import float32, int32

from .contact_solver import init_contact, solve_contact_position, solve_contact_velocity, warm_start_contact
from .joints import INACTIVE_LIMIT, init_joint, solve_joint_position, solve_joint_velocity
from .kernel import Number, Record, kernel
from .lanes import absolute, any_lane, load, select, sqrt, store
from .settings import (
    ANGULAR_SLEEP_TOLERANCE_SQUARED,
    BAUMGARTE,
    GRAVITY,
    LINEAR_SLEEP_TOLERANCE_SQUARED,
    LINEAR_SLOP,
    MAX_FLOAT,
    MAX_ROTATION,
    MAX_ROTATION_SQUARED,
    MAX_TRANSLATION,
    MAX_TRANSLATION_SQUARED,
    ONE,
    TIME_STEP,
    TIME_TO_SLEEP,
    VELOCITY_ITERATIONS,
    ZERO,
)
from .transform import transform_at

_LEAST_SEPARATION = float32(-3.0) * LINEAR_SLOP
_PERIOD = 6
"""Number of position iterations after which repetitions are detected."""


@kernel
def pack_contact(solver: Record, row: int, lane: int, place: int, manifold: Record) -> None:
    """Put one contact into its row."""
    solver.row_contact[row, lane] = place
    if manifold.count > solver.row_points[row]:
        solver.row_points[row] = manifold.count
    solver.face[row, lane] = float32(manifold.face)
    solver.points[row, lane] = float32(manifold.count)
    solver.local_normal_x[row, lane] = manifold.normal_x
    solver.local_normal_y[row, lane] = manifold.normal_y
    solver.local_point_x[row, lane] = manifold.point_x
    solver.local_point_y[row, lane] = manifold.point_y
    solver.point1_x[row, lane] = manifold.x[0]
    solver.point1_y[row, lane] = manifold.y[0]
    solver.normal_impulse1[row, lane] = manifold.normal_impulse[0]
    solver.tangent_impulse1[row, lane] = manifold.tangent_impulse[0]
    if manifold.count == 2:
        solver.point2_x[row, lane] = manifold.x[1]
        solver.point2_y[row, lane] = manifold.y[1]
        solver.normal_impulse2[row, lane] = manifold.normal_impulse[1]
        solver.tangent_impulse2[row, lane] = manifold.tangent_impulse[1]


@kernel
def clear_row(solver: Record, row: int, part: int) -> None:
    """Start a row without contacts."""
    solver.row_part[row] = part
    solver.row_points[row] = 0
    for lane in range(solver.row_contact.shape[1]):
        solver.row_contact[row, lane] = -1
    store(solver.face, row, ZERO)
    store(solver.points, row, ZERO)
    store(solver.local_normal_x, row, ZERO)
    store(solver.local_normal_y, row, ZERO)
    store(solver.local_point_x, row, ZERO)
    store(solver.local_point_y, row, ZERO)
    store(solver.point1_x, row, ZERO)
    store(solver.point1_y, row, ZERO)
    store(solver.point2_x, row, ZERO)
    store(solver.point2_y, row, ZERO)
    store(solver.normal_impulse1, row, ZERO)
    store(solver.normal_impulse2, row, ZERO)
    store(solver.tangent_impulse1, row, ZERO)
    store(solver.tangent_impulse2, row, ZERO)


@kernel
def _pack_contacts(solver: Record, body: Record, worlds: Record, slots: Record) -> bool:
    """Give each touching contact a row of its part.

    Returns:
        Whether there are enough rows.
    """
    lanes = solver.row_contact.shape[1]
    for b in range(body.n_parts):
        for lane in range(lanes):
            solver.part_count[b, lane] = 0
    for lane in range(lanes):
        world = worlds[slots[min(lane, len(slots) - 1)]]
        for i in range(world.contact_count):
            contact = world.contacts[world.contact_order[i]]
            if contact.touching:
                solver.part_count[contact.part, lane] += 1
    row = 0
    for k in range(body.n_parts):
        b = body.part_order[k]
        solver.part_row[b] = row
        most = 0
        for lane in range(lanes):
            most = max(most, solver.part_count[b, lane])
            solver.part_count[b, lane] = 0
        if row + most > solver.row_contact.shape[0]:
            return False
        for _ in range(most):
            clear_row(solver, row, b)
            row += 1
    solver.n_rows = row
    for lane in range(lanes):
        world = worlds[slots[min(lane, len(slots) - 1)]]
        for i in range(world.contact_count - 1, -1, -1):
            place = world.contact_order[i]
            contact = world.contacts[place]
            if contact.touching:
                b = contact.part
                row = solver.part_row[b] + solver.part_count[b, lane]
                solver.part_count[b, lane] += 1
                pack_contact(solver, row, lane, place, contact.manifold)
    return True


@kernel
def _pack(solver: Record, body: Record, worlds: Record, slots: Record) -> bool:
    """Copy worlds into lanes; unused lanes repeat the last world."""
    if not _pack_contacts(solver, body, worlds, slots):
        return False
    for lane in range(solver.row_contact.shape[1]):
        world = worlds[slots[min(lane, len(slots) - 1)]]
        solver.dt_ratio[0, lane] = world.inv_dt0 * TIME_STEP
        solver.force_x[0, lane] = world.force_x
        for b in range(body.n_parts):
            state = world.parts[b]
            solver.c_x[b, lane] = state.c_x
            solver.c_y[b, lane] = state.c_y
            solver.a[b, lane] = state.a
            solver.v_x[b, lane] = state.v_x
            solver.v_y[b, lane] = state.v_y
            solver.w[b, lane] = state.w
        for j in range(body.n_joints):
            joint = world.joints[j]
            solver.impulse_x[j, lane] = joint.impulse_x
            solver.impulse_y[j, lane] = joint.impulse_y
            solver.impulse_z[j, lane] = joint.impulse_z
            solver.motor_impulse[j, lane] = joint.motor_impulse
            solver.motor_speed[j, lane] = joint.motor_speed
            solver.max_motor_impulse[j, lane] = TIME_STEP * joint.max_motor_torque
            solver.limit_state[j, lane] = joint.limit_state
    return True


@kernel
def _integrate_velocities(solver: Record, body: Record) -> None:
    hull_x = load(solver.v_x, 0) + TIME_STEP * (body.parts[0].inv_mass * load(solver.force_x, 0))
    store(solver.v_x, 0, hull_x)
    for b in range(body.n_parts):
        store(solver.v_y, b, load(solver.v_y, b) + TIME_STEP * GRAVITY)


@kernel
def integrate_position(solver: Record, b: int, h: Number) -> None:
    """Move a part by its velocity, which is limited to Box2D's maximum."""
    v_x, v_y, w = load(solver.v_x, b), load(solver.v_y, b), load(solver.w, b)
    move_x, move_y, turn = h * v_x, h * v_y, h * w
    squared = move_x * move_x + move_y * move_y
    ratio = select(squared > MAX_TRANSLATION_SQUARED, MAX_TRANSLATION / sqrt(squared), ONE)
    v_x, v_y = v_x * ratio, v_y * ratio
    w = w * select(turn * turn > MAX_ROTATION_SQUARED, MAX_ROTATION / absolute(turn), ONE)
    store(solver.c_x, b, load(solver.c_x, b) + h * v_x)
    store(solver.c_y, b, load(solver.c_y, b) + h * v_y)
    store(solver.a, b, load(solver.a, b) + h * w)
    store(solver.v_x, b, v_x)
    store(solver.v_y, b, v_y)
    store(solver.w, b, w)


@kernel
def _save_positions(solver: Record, body: Record) -> None:
    """Save everything that a position iteration changes."""
    for b in range(body.n_parts):
        store(solver.saved_x, b, load(solver.c_x, b))
        store(solver.saved_y, b, load(solver.c_y, b))
        store(solver.saved_a, b, load(solver.a, b))


@kernel
def _same_positions(solver: Record, body: Record) -> bool:
    """Whether everything equals what was saved, in all lanes."""
    changed = load(solver.c_x, 0) != load(solver.saved_x, 0)
    for b in range(body.n_parts):
        changed = changed | (load(solver.c_x, b) != load(solver.saved_x, b))
        changed = changed | (load(solver.c_y, b) != load(solver.saved_y, b))
        changed = changed | (load(solver.a, b) != load(solver.saved_a, b))
    return not any_lane(changed)


@kernel
def _solve_positions(solver: Record, body: Record, iterations: int) -> None:
    """Push parts out of the track and joints together, until errors are small or iterations run out."""
    active = load(solver.c_x, 0) == load(solver.c_x, 0)
    store(solver.solved, 0, ZERO)
    _save_positions(solver, body)
    left = iterations
    while left > 0:
        separation = select(active, ZERO, ZERO)
        for row in range(solver.n_rows):
            separation = solve_contact_position(solver, body, row, BAUMGARTE, active, separation)
        okay = separation >= _LEAST_SEPARATION
        for k in range(body.n_joints):
            okay = okay & solve_joint_position(solver, body, body.joint_order[k], active)
        store(solver.solved, 0, select(okay & active, ONE, load(solver.solved, 0)))
        active = active & (load(solver.solved, 0) == ZERO)
        if not any_lane(active):
            break
        left -= 1
        # If errors remain, iterations eventually repeat earlier ones exactly; then only the phase matters.
        if (iterations - left) % _PERIOD == 0:
            if _same_positions(solver, body):
                left %= _PERIOD
            _save_positions(solver, body)


@kernel
def _unpack_positions(solver: Record, body: Record, worlds: Record, slots: Record) -> None:
    for b in range(body.n_parts):
        part = body.parts[b]
        xf = transform_at(
            load(solver.c_x, b), load(solver.c_y, b), load(solver.a, b), part.center_x, part.center_y
        )
        store(solver.p_x, b, xf[0])
        store(solver.p_y, b, xf[1])
        store(solver.q_s, b, xf[2])
        store(solver.q_c, b, xf[3])
    for lane in range(len(slots)):
        world = worlds[slots[lane]]
        world.position_solved = solver.solved[0, lane] == ONE
        for b in range(body.n_parts):
            state = world.parts[b]
            state.c_x, state.c_y, state.a = solver.c_x[b, lane], solver.c_y[b, lane], solver.a[b, lane]
            state.p_x, state.p_y = solver.p_x[b, lane], solver.p_y[b, lane]
            state.q_s, state.q_c = solver.q_s[b, lane], solver.q_c[b, lane]


@kernel
def _unpack_velocities(solver: Record, body: Record, worlds: Record, slots: Record) -> None:
    for lane in range(len(slots)):
        world = worlds[slots[lane]]
        for b in range(body.n_parts):
            state = world.parts[b]
            state.c0_x, state.c0_y, state.a0 = state.c_x, state.c_y, state.a
            state.v_x, state.v_y, state.w = solver.v_x[b, lane], solver.v_y[b, lane], solver.w[b, lane]
        for j in range(body.n_joints):
            joint = world.joints[j]
            joint.impulse_x, joint.impulse_y = solver.impulse_x[j, lane], solver.impulse_y[j, lane]
            joint.impulse_z = solver.impulse_z[j, lane]
            joint.motor_impulse = solver.motor_impulse[j, lane]
            joint.limit_state = solver.limit_state[j, lane]
        for row in range(solver.n_rows):
            place = solver.row_contact[row, lane]
            if place < 0:
                continue
            manifold = world.contacts[place].manifold
            manifold.normal_impulse[0] = solver.normal_impulse1[row, lane]
            manifold.tangent_impulse[0] = solver.tangent_impulse1[row, lane]
            if int32(solver.solved_points[row, lane]) == 2:
                manifold.normal_impulse[1] = solver.normal_impulse2[row, lane]
                manifold.tangent_impulse[1] = solver.tangent_impulse2[row, lane]


@kernel
def solve(solver: Record, body: Record, worlds: Record, slots: Record, position_iterations: int) -> bool:
    """Advance up to as many worlds as the solver has lanes by one discrete step.

    Returns:
        False if their contacts need more rows than the solver has; nothing has been advanced then.
    """
    if not _pack(solver, body, worlds, slots):
        return False
    _integrate_velocities(solver, body)
    for row in range(solver.n_rows):
        init_contact(solver, body, row)
    for row in range(solver.n_rows):
        warm_start_contact(solver, body, row)
    for k in range(body.n_joints):
        init_joint(solver, body, body.joint_order[k])
    for _ in range(VELOCITY_ITERATIONS):
        for k in range(body.n_joints):
            solve_joint_velocity(solver, body, body.joint_order[k])
        for row in range(solver.n_rows):
            solve_contact_velocity(solver, body, row)
    for b in range(body.n_parts):
        integrate_position(solver, b, TIME_STEP)
    _solve_positions(solver, body, position_iterations)
    _unpack_velocities(solver, body, worlds, slots)
    _unpack_positions(solver, body, worlds, slots)
    return True


@kernel
def solve_positions_further(
    solver: Record, body: Record, worlds: Record, slots: Record, position_iterations: int
) -> bool:
    """Continue the position iterations of worlds after `solve`.

    Most worlds need four, but with random actions one in six needs all 60. These are gathered from many
    blocks and solved together, instead of one in every block making all others wait.

    Returns:
        As for `solve`.
    """
    if not _pack(solver, body, worlds, slots):
        return False
    for j in range(body.n_joints):
        solver.limited[j] = any_lane(load(solver.limit_state, j) != INACTIVE_LIMIT)
    _solve_positions(solver, body, position_iterations)
    _unpack_positions(solver, body, worlds, slots)
    return True


@kernel
def fall_asleep(world: Record, body: Record) -> None:
    """Stop a walker that has hardly moved for half a second."""
    least = MAX_FLOAT
    for b in range(body.n_parts):
        state = world.parts[b]
        if (
            state.w * state.w > ANGULAR_SLEEP_TOLERANCE_SQUARED
            or state.v_x * state.v_x + state.v_y * state.v_y > LINEAR_SLEEP_TOLERANCE_SQUARED
        ):
            state.sleep_time = ZERO
        else:
            state.sleep_time += TIME_STEP
        least = min(least, state.sleep_time)
    if least >= TIME_TO_SLEEP and world.position_solved:
        for b in range(body.n_parts):
            state = world.parts[b]
            state.awake = 0
            state.sleep_time = ZERO
            state.v_x, state.v_y, state.w = ZERO, ZERO, ZERO

"""Continuous collision: parts that would pass into the track are stopped where they touch it (b2World.cpp).

Within a step, the first impact of any contact is found; the part is moved to it, pushed out of the track, its
velocity solved against its contacts alone, and moved on for the rest of the step; and so on, until no impact
is left.
"""

from __future__ import annotations

from numpy import float32

from envs.batched.broad_phase import find_new_contacts, synchronize_fixture
from envs.batched.contact_solver import init_contact, solve_contact_position, solve_contact_velocity
from envs.batched.contacts import update_contact, wake
from envs.batched.kernel import Number, Record, kernel
from envs.batched.settings import (
    AABB_EXTENSION,
    EPSILON,
    LINEAR_SLOP,
    MAX_SUB_STEPS,
    MAX_TOI_CONTACTS,
    ONE,
    TIME_STEP,
    TOI_BAUMGARTE,
    TOI_POSITION_ITERATIONS,
    VELOCITY_ITERATIONS,
    ZERO,
)
from envs.batched.solver import clear_row, integrate_position, pack_contact
from envs.batched.time_of_impact import time_of_impact
from envs.batched.transform import synchronize_transform

_LEAST_SEPARATION = float32(-1.5) * LINEAR_SLOP
_END = ONE - float32(10.0) * EPSILON
"""Impacts after this fraction of a step are left to the next."""


_PERIOD = 6
"""The longest period that is noticed when velocity iterations repeat themselves, of 1, 2, 3 and so on."""
_EIGHTH = float32(0.125)
_CLEAR = float32(0.02) - AABB_EXTENSION
"""Three times the distance that counts as touching, less what the fixture's box is larger than it."""


@kernel
def _set_proxy(scratch: Record, world: Record, fixture: int, obstacles: Record, segments: Record) -> None:
    """Lay out a fixture's corners for the distance algorithm."""
    proxy = scratch.proxy
    if fixture < world.n_obstacles:
        polygon = obstacles[fixture].polygon
        proxy.count = polygon.count
        for i in range(polygon.count):
            proxy.x[i], proxy.y[i] = polygon.x[i], polygon.y[i]
    else:
        segment = segments[fixture - world.n_obstacles]
        proxy.count = 2
        proxy.x[0], proxy.y[0], proxy.x[1], proxy.y[1] = segment.x1, segment.y1, segment.x2, segment.y2


@kernel
def _advance_sweep(state: Record, alpha: Number) -> None:
    """Let the part's motion begin at a later fraction of the step (b2Sweep::Advance)."""
    beta = (alpha - state.alpha0) / (ONE - state.alpha0)
    rest = ONE - beta
    state.c0_x = rest * state.c0_x + beta * state.c_x
    state.c0_y = rest * state.c0_y + beta * state.c_y
    state.a0 = rest * state.a0 + beta * state.a
    state.alpha0 = alpha


@kernel
def _stays_clear(state: Record, part: Record, box: Record) -> bool:
    """Whether a part's motion goes nowhere near a fixture, given the fixture's box in the broad phase.

    The boxes around the part at both ends of its motion miss what its corners sweep in between, by at most
    reach * angle**2 / 8. What lies farther apart than that and `_CLEAR` has no time of impact: the corners
    never come as near as the algorithm calls touching.
    """
    turn = state.a - state.a0
    margin = part.reach * turn * turn * _EIGHTH + _CLEAR
    swept = state.swept
    return bool(
        swept.lower_x - box.upper_x > margin
        or swept.lower_y - box.upper_y > margin
        or box.lower_x - swept.upper_x > margin
        or box.lower_y - swept.upper_y > margin
    )


@kernel
def _contact_toi(
    world: Record,
    body: Record,
    contact: Record,
    obstacles: Record,
    segments: Record,
    track_alpha0: Number,
    scratch: Record,
) -> Number:
    """The fraction of the step at which a contact's part meets its fixture, 1 if it does not."""
    state = world.parts[contact.part]
    if state.alpha0 < track_alpha0:
        _advance_sweep(state, track_alpha0)
    if contact.fixture < world.n_obstacles:
        clear = _stays_clear(state, body.parts[contact.part], obstacles[contact.fixture].box)
    else:
        segment = segments[contact.fixture - world.n_obstacles]
        clear = _stays_clear(state, body.parts[contact.part], segment.box)
    if clear:
        return ONE
    _set_proxy(scratch, world, contact.fixture, obstacles, segments)
    touches, t = time_of_impact(scratch, state, body.parts[contact.part])
    if not touches:
        return ONE
    alpha = state.alpha0 + (ONE - state.alpha0) * t
    return alpha if alpha < ONE else ONE


@kernel
def _add_row(solver: Record, contact: Record, place: int) -> None:
    row = solver.n_rows
    clear_row(solver, row, contact.part)
    pack_contact(solver, row, 0, place, contact.manifold)
    # Impulses of the discrete step have been applied already.
    solver.normal_impulse1[row, 0] = ZERO
    solver.tangent_impulse1[row, 0] = ZERO
    solver.normal_impulse2[row, 0] = ZERO
    solver.tangent_impulse2[row, 0] = ZERO
    solver.n_rows = row + 1


@kernel
def _save_velocities(solver: Record, b: int, scratch: Record) -> None:
    """Remember all that a velocity iteration changes."""
    saved = scratch.saved
    saved[0], saved[1], saved[2] = solver.v_x[b, 0], solver.v_y[b, 0], solver.w[b, 0]
    for row in range(solver.n_rows):
        saved[4 * row + 3] = solver.normal_impulse1[row, 0]
        saved[4 * row + 4] = solver.normal_impulse2[row, 0]
        saved[4 * row + 5] = solver.tangent_impulse1[row, 0]
        saved[4 * row + 6] = solver.tangent_impulse2[row, 0]


@kernel
def _same_velocities(solver: Record, b: int, scratch: Record) -> bool:
    """Whether everything is as it was saved."""
    saved = scratch.saved
    if not (saved[0] == solver.v_x[b, 0] and saved[1] == solver.v_y[b, 0] and saved[2] == solver.w[b, 0]):
        return False
    for row in range(solver.n_rows):
        if not (
            saved[4 * row + 3] == solver.normal_impulse1[row, 0]
            and saved[4 * row + 4] == solver.normal_impulse2[row, 0]
            and saved[4 * row + 5] == solver.tangent_impulse1[row, 0]
            and saved[4 * row + 6] == solver.tangent_impulse2[row, 0]
        ):
            return False
    return True


@kernel
def _sub_step(solver: Record, body: Record, state: Record, b: int, h: Number, scratch: Record) -> None:
    """Push a part out of the track, and move it on for the rest of the step (b2Island::SolveTOI)."""
    solver.dt_ratio[0, 0] = ONE
    solver.c_x[b, 0], solver.c_y[b, 0], solver.a[b, 0] = state.c_x, state.c_y, state.a
    solver.v_x[b, 0], solver.v_y[b, 0], solver.w[b, 0] = state.v_x, state.v_y, state.w
    for _ in range(TOI_POSITION_ITERATIONS):
        separation = ZERO
        for row in range(solver.n_rows):
            separation = solve_contact_position(solver, body, row, TOI_BAUMGARTE, True, separation)
        if separation >= _LEAST_SEPARATION:
            break
    state.c0_x, state.c0_y, state.a0 = solver.c_x[b, 0], solver.c_y[b, 0], solver.a[b, 0]
    for row in range(solver.n_rows):
        init_contact(solver, body, row)
    # Most iterations come to repeat earlier ones exactly; then only the phase counts.
    left = VELOCITY_ITERATIONS
    while left > 0:
        for row in range(solver.n_rows):
            solve_contact_velocity(solver, body, row)
        left -= 1
        if left % _PERIOD == 0:
            _save_velocities(solver, b, scratch)
            saved = left
        elif left < VELOCITY_ITERATIONS - _PERIOD and _same_velocities(solver, b, scratch):
            left %= saved - left
    integrate_position(solver, b, h)
    state.c_x, state.c_y, state.a = solver.c_x[b, 0], solver.c_y[b, 0], solver.a[b, 0]
    state.v_x, state.v_y, state.w = solver.v_x[b, 0], solver.v_y[b, 0], solver.w[b, 0]
    synchronize_transform(state, body.parts[b])


@kernel
def solve_toi(
    world: Record, body: Record, obstacles: Record, segments: Record, solver: Record, scratch: Record
) -> None:
    """Find impacts within the step and solve them, first things first (b2World::SolveTOI)."""
    order = world.contact_order
    for b in range(body.n_parts):
        world.parts[b].alpha0 = ZERO
    for i in range(world.contact_count):
        contact = world.contacts[order[i]]
        contact.has_toi = 0
        contact.in_island = 0
        contact.toi_count = 0
        contact.toi = ONE
    # The track does not move, but Box2D keeps its time: parts that are behind it catch up.
    track_alpha0 = ZERO

    while True:
        first, min_alpha = -1, ONE
        for i in range(world.contact_count - 1, -1, -1):
            contact = world.contacts[order[i]]
            if not contact.enabled or contact.toi_count > MAX_SUB_STEPS:
                continue
            if not contact.has_toi:
                state = world.parts[contact.part]
                if not state.awake:
                    continue
                if track_alpha0 < state.alpha0:
                    track_alpha0 = state.alpha0
                contact.toi = _contact_toi(world, body, contact, obstacles, segments, track_alpha0, scratch)
                contact.has_toi = 1
            if contact.toi < min_alpha:
                first, min_alpha = i, contact.toi
        if first < 0 or min_alpha > _END:
            return

        place = order[first]
        contact = world.contacts[place]
        b = contact.part
        state, part = world.parts[b], body.parts[b]
        c0_x, c0_y, a0, alpha0 = state.c0_x, state.c0_y, state.a0, state.alpha0
        c_x, c_y, a = state.c_x, state.c_y, state.a
        old_track_alpha0 = track_alpha0
        _advance_sweep(state, min_alpha)
        track_alpha0 = min_alpha
        state.c_x, state.c_y, state.a = state.c0_x, state.c0_y, state.a0
        synchronize_transform(state, part)
        update_contact(world, body, contact, obstacles, segments, scratch)
        contact.has_toi = 0
        contact.toi_count += 1
        if not contact.touching:
            contact.enabled = 0
            state.c0_x, state.c0_y, state.a0, state.alpha0 = c0_x, c0_y, a0, alpha0
            state.c_x, state.c_y, state.a = c_x, c_y, a
            track_alpha0 = old_track_alpha0
            synchronize_transform(state, part)
            continue

        wake(state)
        solver.n_rows = 0
        contact.in_island = 1
        _add_row(solver, contact, place)
        for i in range(world.contact_count - 1, -1, -1):
            if solver.n_rows == MAX_TOI_CONTACTS:
                break
            other = world.contacts[order[i]]
            if other.part != b or other.in_island:
                continue
            update_contact(world, body, other, obstacles, segments, scratch)
            if other.touching:
                other.in_island = 1
                _add_row(solver, other, order[i])

        _sub_step(solver, body, state, b, (ONE - min_alpha) * TIME_STEP, scratch)
        synchronize_fixture(state, part)
        for i in range(world.contact_count):
            other = world.contacts[order[i]]
            if other.part == b:
                other.has_toi = 0
                other.in_island = 0
        find_new_contacts(world, body, obstacles, segments)

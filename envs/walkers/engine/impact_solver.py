"""Solves the impact of a part in many worlds side by side (b2Island::SolveTOI).

The part is pushed out of the track, its velocity is solved only against what it touches, and it is moved for
the rest of the step.
"""

from __future__ import annotations

from numpy import float32

from .contact_solver import init_contact, solve_contact_position, solve_contact_velocity
from .kernel import Record, kernel
from .lanes import any_lane, load, select, store
from .settings import (
    LINEAR_SLOP,
    ONE,
    TIME_STEP,
    TOI_BAUMGARTE,
    TOI_POSITION_ITERATIONS,
    VELOCITY_ITERATIONS,
    ZERO,
)
from .solver import clear_row, integrate_position, pack_contact
from .transform import synchronize_transform

_LEAST_SEPARATION = float32(-1.5) * LINEAR_SLOP
_PERIOD = 6
"""Number of velocity iterations after which repetitions are detected."""


@kernel
def _pack_contact(solver: Record, b: int, row: int, lane: int, world: Record, place: int) -> None:
    """Give a contact of the part a row, without the impulses already applied in the discrete step."""
    if row == solver.n_rows:
        clear_row(solver, row, b)
        solver.n_rows = row + 1
    pack_contact(solver, row, lane, place, world.contacts[place].manifold)
    solver.normal_impulse1[row, lane] = ZERO
    solver.tangent_impulse1[row, lane] = ZERO
    solver.normal_impulse2[row, lane] = ZERO
    solver.tangent_impulse2[row, lane] = ZERO


@kernel
def _pack(solver: Record, b: int, worlds: Record, slots: Record) -> None:
    """Copy the part and what it touches into lanes; unused lanes repeat the last world."""
    solver.n_rows = 0
    store(solver.dt_ratio, 0, ONE)
    for lane in range(solver.row_contact.shape[1]):
        world = worlds[slots[min(lane, len(slots) - 1)]]
        state = world.parts[b]
        solver.c_x[b, lane], solver.c_y[b, lane], solver.a[b, lane] = state.c_x, state.c_y, state.a
        solver.v_x[b, lane], solver.v_y[b, lane], solver.w[b, lane] = state.v_x, state.v_y, state.w
        solver.time_left[0, lane] = (ONE - world.impact_alpha) * TIME_STEP
        _pack_contact(solver, b, 0, lane, world, world.impact_place)
        row = 1
        for i in range(world.contact_count - 1, -1, -1):
            place = world.contact_order[i]
            if world.contacts[place].in_island and place != world.impact_place:
                _pack_contact(solver, b, row, lane, world, place)
                row += 1


@kernel
def _push_out(solver: Record, body: Record, b: int) -> None:
    """Push the part out of the track, in each world until it hardly penetrates it."""
    active = load(solver.c_x, b) == load(solver.c_x, b)
    for _ in range(TOI_POSITION_ITERATIONS):
        separation = select(active, ZERO, ZERO)
        for row in range(solver.n_rows):
            separation = solve_contact_position(solver, body, row, TOI_BAUMGARTE, active, separation)
        active = active & (separation < _LEAST_SEPARATION)
        if not any_lane(active):
            break


@kernel
def _save_velocities(solver: Record, b: int) -> None:
    """Save everything that a velocity iteration changes."""
    store(solver.saved_x, b, load(solver.v_x, b))
    store(solver.saved_y, b, load(solver.v_y, b))
    store(solver.saved_a, b, load(solver.w, b))
    for row in range(solver.n_rows):
        store(solver.saved_normal1, row, load(solver.normal_impulse1, row))
        store(solver.saved_normal2, row, load(solver.normal_impulse2, row))
        store(solver.saved_tangent1, row, load(solver.tangent_impulse1, row))
        store(solver.saved_tangent2, row, load(solver.tangent_impulse2, row))


@kernel
def _same_velocities(solver: Record, b: int) -> bool:
    """Whether everything equals what was saved, in all lanes."""
    changed = load(solver.v_x, b) != load(solver.saved_x, b)
    changed = changed | (load(solver.v_y, b) != load(solver.saved_y, b))
    changed = changed | (load(solver.w, b) != load(solver.saved_a, b))
    for row in range(solver.n_rows):
        changed = changed | (load(solver.normal_impulse1, row) != load(solver.saved_normal1, row))
        changed = changed | (load(solver.normal_impulse2, row) != load(solver.saved_normal2, row))
        changed = changed | (load(solver.tangent_impulse1, row) != load(solver.saved_tangent1, row))
        changed = changed | (load(solver.tangent_impulse2, row) != load(solver.saved_tangent2, row))
    return not any_lane(changed)


@kernel
def _solve_velocities(solver: Record, body: Record, b: int) -> None:
    for row in range(solver.n_rows):
        init_contact(solver, body, row)
    _save_velocities(solver, b)
    left = VELOCITY_ITERATIONS
    while left > 0:
        for row in range(solver.n_rows):
            solve_contact_velocity(solver, body, row)
        left -= 1
        # Most iterations eventually repeat earlier ones exactly; then only the phase matters.
        if left % _PERIOD == 0:
            if _same_velocities(solver, b):
                left = 0
            _save_velocities(solver, b)


@kernel
def solve_impacts(solver: Record, body: Record, b: int, worlds: Record, slots: Record) -> None:
    """Solve an impact of part b in up to as many worlds as the solver has lanes."""
    _pack(solver, b, worlds, slots)
    _push_out(solver, body, b)
    for lane in range(len(slots)):
        state = worlds[slots[lane]].parts[b]
        state.c0_x, state.c0_y, state.a0 = solver.c_x[b, lane], solver.c_y[b, lane], solver.a[b, lane]
    _solve_velocities(solver, body, b)
    integrate_position(solver, b, load(solver.time_left, 0))
    for lane in range(len(slots)):
        state = worlds[slots[lane]].parts[b]
        state.c_x, state.c_y, state.a = solver.c_x[b, lane], solver.c_y[b, lane], solver.a[b, lane]
        state.v_x, state.v_y, state.w = solver.v_x[b, lane], solver.v_y[b, lane], solver.w[b, lane]
        synchronize_transform(state, body.parts[b])

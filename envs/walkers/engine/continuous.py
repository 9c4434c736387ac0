"""Continuous collision: parts that would pass into the track are stopped where they touch it (b2World.cpp).

Within a step, the first impact of any contact is found; the part is moved to it, solved (`impact_solver`),
and moved on for the rest of the step; and so on, until no impact is left.
"""

from __future__ import annotations

from numpy import float32

from .broad_phase import find_new_contacts, synchronize_fixture
from .contacts import update_contact, wake
from .kernel import Number, Record, kernel
from .settings import AABB_EXTENSION, EPSILON, MAX_SUB_STEPS, MAX_TOI_CONTACTS, ONE, ZERO
from .time_of_impact import time_of_impact
from .transform import synchronize_transform

_END = ONE - float32(10.0) * EPSILON
"""Impacts after this fraction of a step are left to the next step."""
_EIGHTH = float32(0.125)
_CLEAR = float32(0.02) - AABB_EXTENSION
"""Three times the distance that counts as touching, minus the margin of the fixture's box."""


@kernel
def _set_proxy(scratch: Record, world: Record, fixture: int, obstacles: Record, segments: Record) -> None:
    """Write a fixture's corners for the distance algorithm."""
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
    """Advance the start of the part's motion to a later fraction of the step (b2Sweep::Advance)."""
    beta = (alpha - state.alpha0) / (ONE - state.alpha0)
    rest = ONE - beta
    state.c0_x = rest * state.c0_x + beta * state.c_x
    state.c0_y = rest * state.c0_y + beta * state.c_y
    state.a0 = rest * state.a0 + beta * state.a
    state.alpha0 = alpha


@kernel
def _stays_clear(state: Record, part: Record, box: Record) -> bool:
    """Whether a part's motion stays clear of a fixture, given the fixture's box in the broad phase.

    The boxes around the part at both ends of its motion miss the sweep of its corners in between by at most
    reach * angle**2 / 8. At a distance above that plus `_CLEAR` there is no time of impact: the corners never
    come close enough to count as touching.
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
    scratch: Record,
) -> Number:
    """The fraction of the step at which a contact's part meets its fixture, 1 if it does not."""
    state = world.parts[contact.part]
    if state.alpha0 < world.track_alpha0:
        _advance_sweep(state, world.track_alpha0)
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
def begin_impacts(world: Record, body: Record) -> None:
    """Forget the impacts of the last step."""
    for b in range(body.n_parts):
        world.parts[b].alpha0 = ZERO
    for i in range(world.contact_count):
        contact = world.contacts[world.contact_order[i]]
        contact.has_toi = 0
        contact.in_island = 0
        contact.toi_count = 0
        contact.toi = ONE
    # The track does not move, but Box2D tracks its time: parts that are behind it catch up.
    world.track_alpha0 = ZERO


@kernel
def _first_impact(world: Record, body: Record, obstacles: Record, segments: Record, scratch: Record) -> int:
    """The place of the contact with the first impact in the rest of the step, -1 if there is none."""
    first, min_alpha = -1, ONE
    for i in range(world.contact_count - 1, -1, -1):
        place = world.contact_order[i]
        contact = world.contacts[place]
        if not contact.enabled or contact.toi_count > MAX_SUB_STEPS:
            continue
        if not contact.has_toi:
            state = world.parts[contact.part]
            if not state.awake:
                continue
            if world.track_alpha0 < state.alpha0:
                world.track_alpha0 = state.alpha0
            contact.toi = _contact_toi(world, body, contact, obstacles, segments, scratch)
            contact.has_toi = 1
        if contact.toi < min_alpha:
            first, min_alpha = place, contact.toi
    return first if min_alpha <= _END else -1


@kernel
def find_impact(world: Record, body: Record, obstacles: Record, segments: Record, scratch: Record) -> bool:
    """Move the part with the first impact to the point of impact, and find what it touches there.

    Returns:
        Whether there is an impact left in this step; `impact_place` and `impact_alpha` say which and when.
    """
    while True:
        place = _first_impact(world, body, obstacles, segments, scratch)
        if place < 0:
            return False
        contact = world.contacts[place]
        alpha = contact.toi
        state, part = world.parts[contact.part], body.parts[contact.part]
        c0_x, c0_y, a0, alpha0 = state.c0_x, state.c0_y, state.a0, state.alpha0
        c_x, c_y, a = state.c_x, state.c_y, state.a
        old_track_alpha0 = world.track_alpha0
        _advance_sweep(state, alpha)
        world.track_alpha0 = alpha
        state.c_x, state.c_y, state.a = state.c0_x, state.c0_y, state.a0
        synchronize_transform(state, part)
        update_contact(world, body, contact, obstacles, segments, scratch)
        contact.has_toi = 0
        contact.toi_count += 1
        if contact.touching:
            break
        contact.enabled = 0
        state.c0_x, state.c0_y, state.a0, state.alpha0 = c0_x, c0_y, a0, alpha0
        state.c_x, state.c_y, state.a = c_x, c_y, a
        world.track_alpha0 = old_track_alpha0
        synchronize_transform(state, part)

    wake(state)
    contact.in_island = 1
    touched = 1
    for i in range(world.contact_count - 1, -1, -1):
        other = world.contacts[world.contact_order[i]]
        if other.part != contact.part or other.in_island or touched == MAX_TOI_CONTACTS:
            continue
        update_contact(world, body, other, obstacles, segments, scratch)
        if other.touching:
            other.in_island = 1
            touched += 1
    world.impact_place = place
    world.impact_alpha = alpha
    return True


@kernel
def end_impact(world: Record, body: Record, obstacles: Record, segments: Record) -> None:
    """Find what the part may hit on its new path."""
    b = world.contacts[world.impact_place].part
    synchronize_fixture(world.parts[b], body.parts[b])
    for i in range(world.contact_count):
        other = world.contacts[world.contact_order[i]]
        if other.part == b:
            other.has_toi = 0
            other.in_island = 0
    find_new_contacts(world, body, obstacles, segments)

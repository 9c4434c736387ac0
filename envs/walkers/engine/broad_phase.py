"""Broad phase: which parts may touch which fixtures of the track (b2BroadPhase, b2DynamicTree).

Box2D keeps boxes that are larger than the shapes in a tree, and makes a contact for each pair whose boxes
overlap. The boxes here are the same, since a contact exists exactly as long as they overlap, and contacts are
made in the same order, in which constraints are solved. There is no tree: fixtures of the track are found by
x.
"""

from __future__ import annotations

from .contacts import add_contact
from .kernel import Number, Record, kernel
from .lanes import maximum, minimum
from .settings import AABB_MULTIPLIER, ZERO
from .shapes import bounds_of, set_extended_box
from .transform import transform_at, transform_of


@kernel
def boxes_overlap(a: Record, b: Record) -> bool:
    """b2TestOverlap."""
    return not (
        b.lower_x > a.upper_x or b.lower_y > a.upper_y or a.lower_x > b.upper_x or a.lower_y > b.upper_y
    )


@kernel
def synchronize_fixture(state: Record, part: Record) -> None:
    """If a part has left its box, give it a new one that looks ahead (b2Fixture::Synchronize)."""
    before = transform_at(state.c0_x, state.c0_y, state.a0, part.center_x, part.center_y)
    at_first = bounds_of(part.polygon, before[0], before[1], before[2], before[3])
    now = transform_of(state)
    at_last = bounds_of(part.polygon, now[0], now[1], now[2], now[3])
    lower_x, lower_y = minimum(at_first[0], at_last[0]), minimum(at_first[1], at_last[1])
    upper_x, upper_y = maximum(at_first[2], at_last[2]), maximum(at_first[3], at_last[3])
    swept = state.swept
    swept.lower_x, swept.lower_y, swept.upper_x, swept.upper_y = lower_x, lower_y, upper_x, upper_y
    box = state.box
    if (
        box.lower_x <= lower_x
        and box.lower_y <= lower_y
        and upper_x <= box.upper_x
        and upper_y <= box.upper_y
    ):
        return
    set_extended_box(box, (lower_x, lower_y, upper_x, upper_y))
    ahead_x, ahead_y = AABB_MULTIPLIER * (now[0] - before[0]), AABB_MULTIPLIER * (now[1] - before[1])
    if ahead_x < ZERO:
        box.lower_x += ahead_x
    else:
        box.upper_x += ahead_x
    if ahead_y < ZERO:
        box.lower_y += ahead_y
    else:
        box.upper_y += ahead_y
    state.moved = 1


@kernel
def first_reaching(fixtures: Record, count: int, x: Number) -> int:
    """The first fixture for which it, or one before it, reaches as far as x."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if fixtures[middle].reach_upper < x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _add_pairs(world: Record, body: Record, fixtures: Record, count: int, offset: int) -> None:
    """Make contacts of moved parts with some fixtures, by fixture first and part second."""
    lower, upper = ZERO, ZERO
    first = True
    for b in range(body.n_parts):
        if world.parts[b].moved:
            box = world.parts[b].box
            lower = box.lower_x if first else minimum(lower, box.lower_x)
            upper = box.upper_x if first else maximum(upper, box.upper_x)
            first = False
    for k in range(first_reaching(fixtures, count, lower), count):
        fixture = fixtures[k]
        if fixture.reach_lower > upper:
            break
        for b in range(body.n_parts):
            state = world.parts[b]
            if state.moved and boxes_overlap(fixture.box, state.box):
                add_contact(world, offset + k, b)


@kernel
def find_new_contacts(world: Record, body: Record, obstacles: Record, segments: Record) -> None:
    """Make contacts of the parts whose boxes are new (b2ContactManager::FindNewContacts)."""
    any_moved = False
    for b in range(body.n_parts):
        any_moved = any_moved or world.parts[b].moved != 0
    if not any_moved:
        return
    _add_pairs(world, body, obstacles, world.n_obstacles, 0)
    _add_pairs(world, body, segments, world.n_segments, world.n_obstacles)
    for b in range(body.n_parts):
        world.parts[b].moved = 0

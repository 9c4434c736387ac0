"""Contacts: their list, events and contact points (b2Contact, b2ContactManager).

Box2D puts a new contact at the head of its list, and solves and reports from the head on. Here new contacts
go to the end of `contact_order`, which is traversed backwards.
"""

from __future__ import annotations

from .kernel import Record, kernel
from .layout import MAX_CONTACTS, TOO_MANY_CONTACTS
from .narrow_phase import collide_edge_and_polygon, collide_polygons
from .settings import ONE, ZERO
from .transform import transform_of


@kernel
def wake(state: Record) -> None:
    """Wake up a part, so that it is simulated again."""
    if not state.awake:
        state.awake = 1
        state.sleep_time = ZERO


@kernel
def add_contact(world: Record, fixture: int, part: int) -> None:
    """Make a contact, unless the pair has one (b2ContactManager::AddPair)."""
    count = world.contact_count
    for i in range(count):
        contact = world.contacts[world.contact_order[i]]
        if contact.part == part and contact.fixture == fixture:
            return
    if count == MAX_CONTACTS:
        world.error = TOO_MANY_CONTACTS
        return
    contact = world.contacts[world.contact_order[count]]
    contact.fixture = fixture
    contact.part = part
    contact.touching = 0
    contact.enabled = 1
    contact.in_island = 0
    contact.has_toi = 0
    contact.toi_count = 0
    contact.toi = ONE
    contact.manifold.count = 0
    world.contact_count = count + 1
    wake(world.parts[part])


@kernel
def remove_contact(world: Record, body: Record, i: int) -> None:
    """Drop a contact whose boxes no longer overlap (b2ContactManager::Destroy)."""
    order = world.contact_order
    place = order[i]
    contact = world.contacts[place]
    if contact.touching:
        _end_contact(world, body, contact.part)
    if contact.manifold.count > 0:
        wake(world.parts[contact.part])
    last = world.contact_count - 1
    for k in range(i, last):
        order[k] = order[k + 1]
    order[last] = place
    world.contact_count = last


@kernel
def _begin_contact(world: Record, body: Record, part: int) -> None:
    if body.parts[part].is_hull:
        world.hull_touched = 1
    elif body.parts[part].is_foot:
        world.parts[part].touches_ground = 1


@kernel
def _end_contact(world: Record, body: Record, part: int) -> None:
    # As in Gymnasium's walker, a foot that leaves one edge counts as lifted until it touches the next.
    if body.parts[part].is_foot:
        world.parts[part].touches_ground = 0


@kernel
def update_contact(
    world: Record, body: Record, contact: Record, obstacles: Record, segments: Record, scratch: Record
) -> None:
    """Update the points of a contact; points that persist keep their impulses (b2Contact::Update)."""
    manifold = contact.manifold
    old_count = manifold.count
    old_key0, old_key1 = manifold.key[0], manifold.key[1]
    old_normal0, old_normal1 = manifold.normal_impulse[0], manifold.normal_impulse[1]
    old_tangent0, old_tangent1 = manifold.tangent_impulse[0], manifold.tangent_impulse[1]

    part = contact.part
    state = world.parts[part]
    polygon = body.parts[part].polygon
    if contact.fixture < world.n_obstacles:
        obstacle = obstacles[contact.fixture].polygon
        collide_polygons(manifold, obstacle, polygon, transform_of(state), scratch)
    else:
        segment = segments[contact.fixture - world.n_obstacles]
        collide_edge_and_polygon(manifold, segment, polygon, transform_of(state), scratch)

    for i in range(manifold.count):
        key = manifold.key[i]
        if old_count > 0 and old_key0 == key:
            manifold.normal_impulse[i], manifold.tangent_impulse[i] = old_normal0, old_tangent0
        elif old_count > 1 and old_key1 == key:
            manifold.normal_impulse[i], manifold.tangent_impulse[i] = old_normal1, old_tangent1
        else:
            manifold.normal_impulse[i], manifold.tangent_impulse[i] = ZERO, ZERO

    contact.enabled = 1
    touching = manifold.count > 0
    if touching and not contact.touching:
        wake(state)
        contact.touching = 1
        _begin_contact(world, body, part)
    elif contact.touching and not touching:
        wake(state)
        contact.touching = 0
        _end_contact(world, body, part)

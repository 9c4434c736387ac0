"""One step of a world: collide, solve, continue, in Box2D's order (b2World::Step)."""

from __future__ import annotations

from .broad_phase import boxes_overlap, find_new_contacts, synchronize_fixture
from .contacts import remove_contact, update_contact
from .continuous import begin_impacts
from .kernel import Number, Record, kernel
from .lanes import rotation
from .layout import MAX_CONTACTS, NO_ERROR
from .settings import ONE, TIME_STEP, ZERO
from .shapes import bounds_of, set_extended_box
from .solver import fall_asleep
from .terrain import set_obstacles, set_segments
from .transform import transform_of, transform_point

_INV_DT = ONE / TIME_STEP


@kernel
def spawn(
    world: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    n_obstacles: int,
    n_segments: int,
    force_x: Number,
) -> None:
    """Put the walker at the start of the world's track, at rest, with a force on its hull."""
    world.n_obstacles = n_obstacles
    world.n_segments = n_segments
    world.hull_touched = 0
    world.steps = 0
    world.error = NO_ERROR
    world.force_x = force_x
    world.inv_dt0 = ZERO
    world.effort = 0.0
    world.contact_count = 0
    for i in range(MAX_CONTACTS):
        world.contact_order[i] = i
    for b in range(body.n_parts):
        part, state = body.parts[b], world.parts[b]
        state.p_x, state.p_y = part.spawn_x, part.spawn_y
        state.q_s, state.q_c = rotation(part.spawn_a)
        state.c_x, state.c_y = transform_point(transform_of(state), part.center_x, part.center_y)
        state.a = part.spawn_a
        state.c0_x, state.c0_y, state.a0 = state.c_x, state.c_y, state.a
        state.alpha0 = ZERO
        state.v_x, state.v_y, state.w = ZERO, ZERO, ZERO
        set_extended_box(state.box, bounds_of(part.polygon, state.p_x, state.p_y, state.q_s, state.q_c))
        state.moved = 1
        state.awake = 1
        state.sleep_time = ZERO
        state.touches_ground = 0
    for j in range(body.n_joints):
        joint = world.joints[j]
        joint.impulse_x, joint.impulse_y, joint.impulse_z = ZERO, ZERO, ZERO
        joint.motor_impulse = ZERO
        joint.motor_speed = ZERO
        joint.max_motor_torque = ZERO
        joint.limit_state = ZERO
    find_new_contacts(world, body, obstacles, segments)


@kernel
def start_world(
    world: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    ground: Record,
    corners: Record,
    corner: int,
    ends: Record,
    force_x: Number,
) -> int:
    """Lay out a track, and put a walker at its start; corners and ends are as in `set_obstacles`.

    Returns:
        The error of the track, or `NO_ERROR`.
    """
    error = set_segments(segments, ground)
    if error == NO_ERROR:
        error = set_obstacles(obstacles, corners, corner, ends)
    if error == NO_ERROR:
        spawn(world, body, obstacles, segments, len(ends), len(ground) - 1, force_x)
    return error


@kernel
def collide(world: Record, body: Record, obstacles: Record, segments: Record, scratch: Record) -> None:
    """Drop contacts whose boxes no longer overlap, and find the points of the others, newest first."""
    for i in range(world.contact_count - 1, -1, -1):
        contact = world.contacts[world.contact_order[i]]
        box = world.parts[contact.part].box
        if contact.fixture < world.n_obstacles:
            overlap = boxes_overlap(obstacles[contact.fixture].box, box)
        else:
            overlap = boxes_overlap(segments[contact.fixture - world.n_obstacles].box, box)
        if overlap:
            update_contact(world, body, contact, obstacles, segments, scratch)
        else:
            remove_contact(world, body, i)


@kernel
def settle(world: Record, body: Record, obstacles: Record, segments: Record) -> None:
    """Continue after the discrete solution: sleep, new contacts, and preparing impacts within the step."""
    fall_asleep(world, body)
    for b in range(body.n_parts):
        synchronize_fixture(world.parts[b], body.parts[b])
    find_new_contacts(world, body, obstacles, segments)
    begin_impacts(world, body)
    world.inv_dt0 = _INV_DT
    world.force_x = ZERO

"""Walkers as data: rigid parts and the motorised joints between them."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]

_PIXEL = 1 / 30
"""Metres per pixel of the drawings the walkers were first defined in."""

_HIP_OFFSET = -8 * _PIXEL
"""Height of the hips relative to the centre of the hull, in metres."""


@dataclass(frozen=True)
class BodyPart:
    """A convex rigid part. Positions are relative to the hull's spawn position.

    Attributes:
        vertices: Corners in the part's own frame, counterclockwise, metres.
        position: Centre at spawn, metres.
        angle: Orientation at spawn, radians.
        density: kg/m².
        friction: Coulomb coefficient.
        is_hull: Touching anything with this part ends the episode.
        is_foot: Contact of this part with the ground is observed.
        is_box: The part is a centred rectangle, whose corners Box2D keeps as they are, from the lower left
            on. Those of other polygons it puts in an order of its own, from the rightmost on, and the order
            of corners is the order in which contacts are solved.
    """

    vertices: tuple[Point, ...]
    position: Point
    angle: float
    density: float
    friction: float
    is_hull: bool = False
    is_foot: bool = False
    is_box: bool = False


@dataclass(frozen=True)
class BodyJoint:
    """A motorised hinge between two parts, given by their indices.

    Attributes:
        parent: Index of the part nearer to the hull.
        child: Index of the part farther from the hull.
        parent_anchor: Hinge in the parent's frame, metres.
        child_anchor: Hinge in the child's frame, metres.
        lower: Smallest angle, radians.
        upper: Largest angle, radians.
        max_speed: Motor speed at full action, rad/s.
        initial_speed: Motor speed before the first action, rad/s.
        observed_offset: Added to the angle where it is observed, radians.
    """

    parent: int
    child: int
    parent_anchor: Point
    child_anchor: Point
    lower: float
    upper: float
    max_speed: float
    initial_speed: float
    observed_offset: float


@dataclass(frozen=True)
class WalkerBody:
    """A walker: parts (the hull first), joints, and what its motors can do and cost.

    Attributes:
        name: What `body=` calls it.
        parts: Rigid parts; the first is the hull.
        joints: Hinges, in the order of the action.
        spawn_height: Height of the hull's centre over the ground at spawn, metres.
        motor_torque: Largest torque of every joint's motor, N·m.
        torque_penalty: Reward lost per step and unit of action.
    """

    name: str
    parts: tuple[BodyPart, ...]
    joints: tuple[BodyJoint, ...]
    spawn_height: float
    motor_torque: float
    torque_penalty: float


def legged_body(
    name: str,
    hull: tuple[Point, ...],
    hull_width: float,
    leg_width: float,
    leg_height: float,
    hips: tuple[float, ...],
    motor_torque: float,
    torque_penalty: float,
) -> WalkerBody:
    """Assemble a hull and pairs of two-segment legs.

    Args:
        name: What `body=` calls it.
        hull: Corners of the hull, pixels (30 to a metre).
        hull_width: Width over which hips are placed, pixels.
        leg_width: Width of an upper leg, pixels; a lower leg has 0.8 of it.
        leg_height: Length of each of the two segments of a leg, pixels.
        hips: One pair of legs each: where on the hull, from -1 (back) to 1 (front).
        motor_torque: Largest torque of every joint's motor, N·m.
        torque_penalty: Reward lost per step and unit of action.
    """
    width, height = leg_width * _PIXEL, leg_height * _PIXEL
    parts = [
        BodyPart(
            vertices=tuple((x * _PIXEL, y * _PIXEL) for x, y in hull),
            position=(0.0, 0.0),
            angle=0.0,
            density=5.0,
            friction=0.1,
            is_hull=True,
        )
    ]
    joints = []
    for hip in hips:
        hip_x = hip * hull_width * _PIXEL / 2
        for side in (-1, 1):
            upper = len(parts)
            parts.append(
                BodyPart(
                    vertices=_box(width, height),
                    position=(hip_x, -height / 2 - _HIP_OFFSET),
                    angle=0.05 * side,
                    density=1.0,
                    friction=0.2,
                    is_box=True,
                )
            )
            parts.append(
                BodyPart(
                    vertices=_box(0.8 * width, height),
                    position=(hip_x, -height * 3 / 2 - _HIP_OFFSET),
                    angle=0.05 * side,
                    density=1.0,
                    friction=0.2,
                    is_foot=True,
                    is_box=True,
                )
            )
            joints.append(
                BodyJoint(
                    parent=0,
                    child=upper,
                    parent_anchor=(hip_x, _HIP_OFFSET),
                    child_anchor=(0.0, height / 2),
                    lower=-0.8,
                    upper=1.1,
                    max_speed=4.0,
                    initial_speed=float(side),
                    observed_offset=0.0,
                )
            )
            joints.append(
                BodyJoint(
                    parent=upper,
                    child=upper + 1,
                    parent_anchor=(0.0, -height / 2),
                    child_anchor=(0.0, height / 2),
                    lower=-1.6,
                    upper=-0.1,
                    max_speed=6.0,
                    initial_speed=1.0,
                    observed_offset=1.0,
                )
            )
    return WalkerBody(name, tuple(parts), tuple(joints), 2 * height, motor_torque, torque_penalty)


def _box(width: float, height: float) -> tuple[Point, ...]:
    x, y = width / 2, height / 2
    return ((-x, -y), (x, -y), (x, y), (-x, y))


BODIES: dict[str, WalkerBody] = {
    body.name: body
    for body in (
        legged_body(
            name="default",
            hull=((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8)),
            hull_width=64,
            leg_width=8,
            leg_height=34,
            hips=(0.0,),
            motor_torque=80.0,
            torque_penalty=0.00035 * 80,
        ),
    )
}
"""The walkers that `body=` can name."""


def find_body(body: str | WalkerBody) -> WalkerBody:
    """Return the walker called `body`, or `body` itself if it is one already.

    Raises:
        ValueError: If no walker has that name.
    """
    if isinstance(body, WalkerBody):
        return body
    if body not in BODIES:
        raise ValueError(f"body={body!r} must be one of {sorted(BODIES)} or a WalkerBody")
    return BODIES[body]

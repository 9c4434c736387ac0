"""Walkers as data: rigid parts and the motorised joints between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]

_PIXEL = 1 / 30
"""Metres per pixel of the drawings in which the walkers were first defined."""

_MOST_CORNERS = 16
"""The limit that the Box2D wheel was built with."""

_FARTHEST_HINGE = 1.5
"""In units of a part's largest radius: hinges may be off a part, as those of the quadruped's hind legs."""

_HIP_OFFSET = -8 * _PIXEL
"""Height of the hips relative to the centre of the hull, in metres."""


@dataclass(frozen=True)
class BodyPart:
    """A convex rigid part. Positions are relative to the hull's spawn position.

    Attributes:
        vertices: Corners in the part's own frame, in order around it, metres.
        position: Centre at spawn, metres.
        angle: Orientation at spawn, radians.
        density: kg/m².
        friction: Coulomb coefficient.
        is_hull: Touching anything with this part ends the episode.
        is_foot: Contact of this part with the ground is observed.
        is_box: The part is a centred rectangle, whose corners Box2D keeps in order, starting at the lower
            left. It reorders the corners of other polygons, starting at the rightmost; the order of corners
            is the order in which contacts are solved.
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
        observed_offset: Added to the angle in observations, radians.
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
    """A walker: parts (the hull first), joints, and the torque and cost of its motors.

    Attributes:
        name: Its name for `body=`.
        parts: Rigid parts; the first is the hull.
        joints: Hinges, in the order of the action.
        spawn_height: Height of the hull's centre over the ground at spawn, metres.
        motor_torque: Largest torque of every joint's motor, N·m.
        torque_penalty: Reward lost per step and unit of action.

    Raises:
        ValueError: If parts and joints do not fit together: a part is not a convex polygon, not joined to the
            hull, or below the ground at spawn; a joint has no room to move, or its hinge is off its parts.
    """

    name: str
    parts: tuple[BodyPart, ...]
    joints: tuple[BodyJoint, ...]
    spawn_height: float
    motor_torque: float
    torque_penalty: float

    def __post_init__(self) -> None:
        for index, part in enumerate(self.parts):
            fault = _fault_of_part(part, self.spawn_height)
            if fault:
                raise ValueError(f"body {self.name!r}: part {index} {fault}")
        if not self.parts or not self.parts[0].is_hull or not self.joints:
            raise ValueError(f"body {self.name!r}: needs a hull as first part, and joints")
        joined = {0}
        for index, joint in enumerate(self.joints):
            fault = _fault_of_joint(joint, self.parts, joined)
            if fault:
                raise ValueError(f"body {self.name!r}: joint {index} {fault}")
            joined.add(joint.child)
        loose = sorted(set(range(len(self.parts))) - joined)
        if loose:
            raise ValueError(f"body {self.name!r}: parts {loose} are not joined to the hull")
        if self.motor_torque <= 0:
            raise ValueError(f"body {self.name!r}: motor_torque={self.motor_torque} must be above 0")


def _fault_of_part(part: BodyPart, spawn_height: float) -> str | None:
    """Why Box2D could not build a part, or why the simulation would blow up at once; None if neither."""
    corners = part.vertices
    if not 3 <= len(corners) <= _MOST_CORNERS:
        return f"has {len(corners)} corners: 3 to {_MOST_CORNERS} are possible"
    around = [*corners, *corners[:2]]
    turns = [
        (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1)
        for (x0, y0), (x1, y1), (x2, y2) in zip(around, around[1:], around[2:], strict=False)
    ]
    if not (min(turns) > 0 or max(turns) < 0):
        return f"is not convex: {corners}"
    if part.density <= 0:
        return f"has density={part.density}: it must be above 0"
    cos, sin = math.cos(part.angle), math.sin(part.angle)
    lowest = spawn_height + part.position[1] + min(x * sin + y * cos for x, y in corners)
    return f"starts {-lowest:.2f} m below the ground" if lowest < 0 else None


def _fault_of_joint(joint: BodyJoint, parts: tuple[BodyPart, ...], joined: set[int]) -> str | None:
    """Why a joint is no hinge between a part joined to the hull and one that is not; None if it is one."""
    for role, index in (("parent", joint.parent), ("child", joint.child)):
        if not 0 <= index < len(parts):
            return f"has {role}={index}: parts are numbered 0 to {len(parts) - 1}"
    if joint.parent not in joined or joint.child in joined:
        return f"joins part {joint.child} to part {joint.parent}: joints lead from the hull outwards"
    if joint.lower >= joint.upper:
        return f"has lower={joint.lower:g} and upper={joint.upper:g}: lower must be less"
    if joint.max_speed <= 0:
        return f"has max_speed={joint.max_speed:g}: it must be above 0"
    hinges = ((joint.parent, joint.parent_anchor), (joint.child, joint.child_anchor))
    for index, anchor in hinges:
        reach = max(math.hypot(x, y) for x, y in parts[index].vertices)
        if math.hypot(*anchor) > _FARTHEST_HINGE * reach:
            return f"is hinged {math.hypot(*anchor):.2f} m from the centre of part {index}, which is off it"
    return None


def legged_body(
    name: str,
    hull: Sequence[Sequence[float]],
    hull_width: float,
    leg_width: float,
    leg_height: float,
    hips: Sequence[float],
    motor_torque: float,
    torque_penalty: float,
) -> WalkerBody:
    """Assemble a hull and pairs of two-segment legs.

    Args:
        name: Its name for `body=`.
        hull: Corners of the hull, pixels (30 to a metre).
        hull_width: Width over which hips are placed, pixels.
        leg_width: Width of an upper leg, pixels; a lower leg has 0.8 of it.
        leg_height: Length of each of the two segments of a leg, pixels.
        hips: Position of each pair of legs along the hull, where -1 is its back and 1 its front.
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
    joints: list[BodyJoint] = []
    for hip in hips:
        hip_x = hip * hull_width * _PIXEL / 2
        for side in (-1, 1):
            joints += _leg_joints(len(parts), hip_x, height, side)
            parts += _leg_parts(hip_x, width, height, side)
    return WalkerBody(name, tuple(parts), tuple(joints), 2 * height, motor_torque, torque_penalty)


def _leg_parts(hip_x: float, width: float, height: float, side: int) -> tuple[BodyPart, BodyPart]:
    """The upper and the lower segment of a leg."""
    upper = BodyPart(
        vertices=_box(width, height),
        position=(hip_x, -height / 2 - _HIP_OFFSET),
        angle=0.05 * side,
        density=1.0,
        friction=0.2,
        is_box=True,
    )
    lower = BodyPart(
        vertices=_box(0.8 * width, height),
        position=(hip_x, -height * 3 / 2 - _HIP_OFFSET),
        angle=0.05 * side,
        density=1.0,
        friction=0.2,
        is_foot=True,
        is_box=True,
    )
    return upper, lower


def _leg_joints(upper: int, hip_x: float, height: float, side: int) -> tuple[BodyJoint, BodyJoint]:
    """Hip and knee of the leg whose segments are the parts `upper` and `upper + 1`."""
    hip = BodyJoint(
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
    knee = BodyJoint(
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
    return hip, knee


def _box(width: float, height: float) -> tuple[Point, ...]:
    x, y = width / 2, height / 2
    return ((-x, -y), (x, -y), (x, y), (-x, y))


_BIPED_HULL = ((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8))

BODIES: dict[str, WalkerBody] = {
    body.name: body
    for body in (
        legged_body(
            name="default",
            hull=_BIPED_HULL,
            hull_width=64,
            leg_width=8,
            leg_height=34,
            hips=(0.0,),
            motor_torque=80.0,
            torque_penalty=0.00035 * 80,
        ),
        legged_body(
            name="short",
            hull=_BIPED_HULL,
            hull_width=64,
            leg_width=8,
            leg_height=17,
            hips=(0.0,),
            motor_torque=80.0,
            torque_penalty=0.00035 * 80,
        ),
        legged_body(
            name="quadruped",
            hull=((-46, 13), (6, 13), (50, 5), (50, -12), (-46, -12)),
            hull_width=96,
            leg_width=10,
            leg_height=51,
            hips=(-1.2, 0.85),
            motor_torque=300.0,
            torque_penalty=0.00035 / 8 * 300,
        ),
    )
}
"""The walkers that `body=` can select by name."""


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

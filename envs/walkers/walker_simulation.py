"""A walker on a track, simulated by Box2D."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import Box2D
import numpy as np
from numpy.typing import NDArray

from .track import GROUND_LEVEL, START_X, Track
from .walker_body import WalkerBody

STEPS_PER_SECOND = 50
INITIAL_FORCE = 5.0
"""Largest horizontal force on the hull during the first step of an episode, newtons."""
LIDAR_RANGE = 160 / 30
"""Length of a lidar ray, metres."""
LIDAR_RAYS = 10

_VELOCITY_ITERATIONS = 180
_POSITION_ITERATIONS = 60
GROUND_FRICTION = 2.5
_GROUND_CATEGORY, _WALKER_CATEGORY = 0x0001, 0x0020
LIDAR_RAY_VECTORS = [
    (LIDAR_RANGE * math.sin(1.5 * k / LIDAR_RAYS), -LIDAR_RANGE * math.cos(1.5 * k / LIDAR_RAYS))
    for k in range(LIDAR_RAYS)
]


class _FixtureStamp:
    """Makes fixtures of one kind from a single definition, whose shape is changed in place.

    pybox2d never frees a shape that was given to a definition, so a new definition for each fixture
    would leak memory. Box2D copies the shape into the fixture.
    """

    def __init__(self, shape: Box2D.b2Shape, **properties: float) -> None:
        self._shape = shape
        self._definition = Box2D.b2FixtureDef(shape=shape, **properties)

    def stamp(
        self,
        body: Box2D.b2Body,
        vertices: Sequence[Sequence[float]],
        is_box: bool = False,
        **properties: float,
    ) -> None:
        if is_box:
            self._shape.box = vertices[2]
        else:
            self._shape.vertices = vertices
        for name, value in properties.items():
            setattr(self._definition, name, value)
        body.CreateFixture(self._definition)


_GROUND = _FixtureStamp(Box2D.b2EdgeShape(), friction=GROUND_FRICTION, categoryBits=_GROUND_CATEGORY)
_OBSTACLE = _FixtureStamp(Box2D.b2PolygonShape(), friction=GROUND_FRICTION, categoryBits=_GROUND_CATEGORY)
_PART = _FixtureStamp(Box2D.b2PolygonShape(), categoryBits=_WALKER_CATEGORY, maskBits=_GROUND_CATEGORY)


class WalkerSimulation:
    """One Box2D world, built for one episode and then discarded.

    Box2D recycles the identifiers of destroyed bodies, which changes the order of contacts and thus the
    trajectory. Since a world is never reused, an episode depends only on its track, force and actions.

    Args:
        body: The walker.
        track: The ground and the obstacles on it.
        initial_force: Horizontal force on the hull during the first step, newtons.

    Raises:
        ValueError: If an obstacle is not a convex polygon.
    """

    def __init__(self, body: WalkerBody, track: Track, initial_force: float) -> None:
        self.body = body
        self._world = Box2D.b2World(gravity=(0, -10))
        self._contacts = _WalkerContacts(body)
        self._world.contactListener = self._contacts
        self._lidar = _Lidar()
        self._build_track(track)
        self._parts = self._build_parts()
        self._joints = self._build_joints()
        self._hull = self._parts[0]
        self._hull.ApplyForceToCenter((initial_force, 0), True)

    def _build_track(self, track: Track) -> None:
        static = self._world.CreateStaticBody()
        for index, corners in enumerate(track.obstacles):
            try:
                _OBSTACLE.stamp(static, corners.tolist())
            except AssertionError as error:  # pybox2d raises it for polygons that would crash Box2D
                raise ValueError(f"obstacle {index}, {corners.tolist()}, is not a convex polygon") from error
        points = track.ground.tolist()
        for start, end in pairwise(points):
            _GROUND.stamp(static, (start, end))

    def _build_parts(self) -> list[Box2D.b2Body]:
        x, y = START_X, GROUND_LEVEL + self.body.spawn_height
        bodies = []
        for index, part in enumerate(self.body.parts):
            rigid = self._world.CreateDynamicBody(
                position=(x + part.position[0], y + part.position[1]), angle=part.angle
            )
            _PART.stamp(rigid, part.vertices, part.is_box, density=part.density, friction=part.friction)
            rigid.userData = index
            bodies.append(rigid)
        return bodies

    def _build_joints(self) -> list[Box2D.b2RevoluteJoint]:
        # Without a reference angle, Box2D takes the spawn pose as a joint's zero: pybox2d computes it from
        # the two bodies.
        return [
            self._world.CreateRevoluteJoint(
                bodyA=self._parts[joint.parent],
                bodyB=self._parts[joint.child],
                localAnchorA=joint.parent_anchor,
                localAnchorB=joint.child_anchor,
                enableMotor=True,
                enableLimit=True,
                maxMotorTorque=self.body.motor_torque,
                motorSpeed=joint.initial_speed,
                lowerAngle=joint.lower,
                upperAngle=joint.upper,
            )
            for joint in self.body.joints
        ]

    @property
    def hull_touched(self) -> bool:
        """Whether the hull has touched anything so far."""
        return self._contacts.hull_touched

    def step(self, action: Sequence[float]) -> float:
        """Advance by 1/50 s.

        Args:
            action: One number per joint: its sign is the direction, its magnitude the share of the torque,
                clipped to [0, 1].

        Returns:
            The sum of the shares of the torque.
        """
        effort = 0.0
        for joint, spec, value in zip(self._joints, self.body.joints, action, strict=True):
            share = min(abs(value), 1.0)
            joint.motorSpeed = math.copysign(spec.max_speed, value) if value else 0.0
            joint.maxMotorTorque = self.body.motor_torque * share
            effort += share
        self._world.Step(1 / STEPS_PER_SECOND, _VELOCITY_ITERATIONS, _POSITION_ITERATIONS)
        return effort

    def part_poses(self) -> NDArray[np.float64]:
        """Position (x and y, metres) and angle (radians) of each of the body's parts, shape (n, 3)."""
        return np.array([(*part.position, part.angle) for part in self._parts])

    def lidar_ends(self) -> NDArray[np.float64]:
        """Ends of the rays of the last observation, metres, shape (10, 2); all start at the hull."""
        lengths = np.array(self._lidar.fractions)[:, None]
        ends: NDArray[np.float64] = np.array(self._hull.position) + np.array(LIDAR_RAY_VECTORS) * lengths
        return ends

    def pose(self) -> tuple[float, float]:
        """Distance of the hull from the track's start, metres, and its angle, radians."""
        return self._hull.position[0], self._hull.angle

    def observe(self) -> NDArray[np.float32]:
        """The observation, float32: hull (4), angle and speed per joint, feet, lidar (10)."""
        hull = self._hull
        velocity = hull.linearVelocity
        values = [
            hull.angle,
            2.0 * hull.angularVelocity / STEPS_PER_SECOND,
            0.3 * velocity[0] * 20 / STEPS_PER_SECOND,
            0.3 * velocity[1] * (400 / 30) / STEPS_PER_SECOND,
        ]
        on_ground = self._contacts.on_ground
        for joint, spec in zip(self._joints, self.body.joints, strict=True):
            values.append(joint.angle + spec.observed_offset)
            values.append(joint.speed / spec.max_speed)
            if spec.child in on_ground:
                values.append(on_ground[spec.child])
        values += self._lidar.scan(self._world, hull.position)
        return np.array(values, dtype=np.float32)


class _WalkerContacts(Box2D.b2ContactListener):  # type: ignore[misc]  # Box2D is untyped
    """Remembers whether the hull was touched and which feet are on the ground.

    As in Gymnasium's walker, a foot that leaves one edge counts as lifted until it touches the next.
    """

    def __init__(self, body: WalkerBody) -> None:
        super().__init__()
        self.hull_touched = False
        self.on_ground = {i: 0.0 for i, part in enumerate(body.parts) if part.is_foot}
        self._hulls = {i for i, part in enumerate(body.parts) if part.is_hull}

    def BeginContact(self, contact: Box2D.b2Contact) -> None:  # noqa: N802 (Box2D's name)
        for fixture in (contact.fixtureA, contact.fixtureB):
            part = fixture.body.userData
            if part in self._hulls:
                self.hull_touched = True
            elif part in self.on_ground:
                self.on_ground[part] = 1.0

    def EndContact(self, contact: Box2D.b2Contact) -> None:  # noqa: N802 (Box2D's name)
        for fixture in (contact.fixtureA, contact.fixtureB):
            part = fixture.body.userData
            if part in self.on_ground:
                self.on_ground[part] = 0.0


class _Lidar(Box2D.b2RayCastCallback):  # type: ignore[misc]  # Box2D is untyped
    """Casts the walker's rays, from straight down towards forward."""

    def __init__(self) -> None:
        super().__init__()
        self._fraction = 1.0
        self.fractions = [1.0] * LIDAR_RAYS

    def scan(self, world: Box2D.b2World, origin: Box2D.b2Vec2) -> list[float]:
        x, y = origin
        fractions = []
        for dx, dy in LIDAR_RAY_VECTORS:
            self._fraction = 1.0
            world.RayCast(self, origin, (x + dx, y + dy))
            fractions.append(self._fraction)
        self.fractions = fractions
        return fractions

    def ReportFixture(  # noqa: N802 (Box2D's name)
        self,
        fixture: Box2D.b2Fixture,
        point: Box2D.b2Vec2,
        normal: Box2D.b2Vec2,
        fraction: float,
    ) -> float:
        if fixture.filterData.categoryBits != _GROUND_CATEGORY:
            return -1.0
        # Clipping the ray here leaves the nearest hit for last.
        self._fraction = fraction
        return fraction

"""A walker's body as a record: shapes, masses and joints as Box2D computes them when it creates them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..track import FINISH_X, GROUND_LEVEL, START_X
from ..walker_body import WalkerBody
from ..walker_simulation import GROUND_FRICTION, LIDAR_RAY_VECTORS
from .engine import set_body_part
from .layout import BODY, MAX_PARTS, MAX_RAYS, MAX_VERTICES
from .settings import ANGULAR_SLOP, ONE, TWO


def body_record(body: WalkerBody, time_limit: int) -> Any:
    """Turn a walker into a record of layout `BODY`, as an array of shape (1,).

    Raises:
        ValueError: If it has more parts, joints or corners than the layout holds, a part has no area, or its
            parts are not all connected by joints.
    """
    n_parts, n_joints = len(body.parts), len(body.joints)
    if max(n_parts, n_joints) > MAX_PARTS:
        raise ValueError(
            f"body {body.name!r} has {n_parts} parts and {n_joints} joints; the batched engine takes up to "
            f"{MAX_PARTS} of each: use engine=box2d"
        )
    record = np.zeros(1, BODY)
    whole = record[0]
    whole["n_parts"], whole["n_joints"] = n_parts, n_joints
    whole["motor_torque"], whole["torque_penalty"] = body.motor_torque, body.torque_penalty
    whole["finish_x"], whole["time_limit"] = FINISH_X, time_limit
    whole["n_rays"] = len(LIDAR_RAY_VECTORS)
    if len(LIDAR_RAY_VECTORS) > MAX_RAYS:
        raise ValueError(f"the batched engine takes up to {MAX_RAYS} lidar rays")
    whole["ray_x"][: whole["n_rays"]] = [x for x, _ in LIDAR_RAY_VECTORS]
    whole["ray_y"][: whole["n_rays"]] = [y for _, y in LIDAR_RAY_VECTORS]

    for b, part in enumerate(body.parts):
        if not 3 <= len(part.vertices) <= MAX_VERTICES:
            raise ValueError(
                f"part {b} of body {body.name!r} has {len(part.vertices)} corners; the batched engine takes "
                f"up to {MAX_VERTICES}: use engine=box2d"
            )
        xs, ys = np.array(part.vertices, dtype=np.float32).T.copy()
        friction = np.float32(GROUND_FRICTION), np.float32(part.friction)
        if not set_body_part(record, b, xs, ys, part.is_box, np.float32(part.density), *friction):
            raise ValueError(f"part {b} of body {body.name!r} has no area or no density")
        data = whole["parts"][b]
        data["spawn_x"] = START_X + part.position[0]
        data["spawn_y"] = GROUND_LEVEL + body.spawn_height + part.position[1]
        data["spawn_a"] = part.angle
        data["is_hull"], data["is_foot"] = part.is_hull, part.is_foot

    parts = whole["parts"]
    for j, joint in enumerate(body.joints):
        data = whole["joints"][j]
        parent, child = joint.parent, joint.child
        data["parent"], data["child"] = parent, child
        anchor_a = np.array(joint.parent_anchor, dtype=np.float32)
        anchor_b = np.array(joint.child_anchor, dtype=np.float32)
        data["anchor_a_x"] = anchor_a[0] - parts["center_x"][parent]
        data["anchor_a_y"] = anchor_a[1] - parts["center_y"][parent]
        data["anchor_b_x"] = anchor_b[0] - parts["center_x"][child]
        data["anchor_b_y"] = anchor_b[1] - parts["center_y"][child]
        # pybox2d takes the pose at creation as the zero of a joint's angle.
        data["reference_angle"] = parts["spawn_a"][child] - parts["spawn_a"][parent]
        data["lower_angle"], data["upper_angle"] = joint.lower, joint.upper
        data["motor_mass"] = ONE / (parts["inv_i"][parent] + parts["inv_i"][child])
        limits = data["upper_angle"] - data["lower_angle"]
        data["equal_limits"] = abs(limits) < TWO * ANGULAR_SLOP
        data["max_speed"], data["observed_offset"] = joint.max_speed, joint.observed_offset
    _set_island_order(whole, body)
    return record


def _set_island_order(whole: Any, body: WalkerBody) -> None:
    """Set the order of parts and joints to that of Box2D's depth-first search, from the newest part."""
    joints_of: list[list[int]] = [[] for _ in body.parts]
    for j, joint in reversed(list(enumerate(body.joints))):
        joints_of[joint.parent].append(j)
        joints_of[joint.child].append(j)
    last = len(body.parts) - 1
    stack, seen = [last], {last}
    part_order: list[int] = []
    joint_order: list[int] = []
    while stack:
        b = stack.pop()
        part_order.append(b)
        for j in joints_of[b]:
            if j in joint_order:
                continue
            joint_order.append(j)
            other = body.joints[j].child if body.joints[j].parent == b else body.joints[j].parent
            if other not in seen:
                stack.append(other)
                seen.add(other)
    whole["part_order"][: len(part_order)] = part_order
    whole["joint_order"][: len(joint_order)] = joint_order

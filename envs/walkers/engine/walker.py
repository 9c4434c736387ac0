"""The env around the physics: action, observation, reward and the end of an episode.

The same as in `walker_env`, with the same float64 arithmetic on the same float32 numbers.
"""

from __future__ import annotations

import math

from numpy import float32, float64

from .broad_phase import first_reaching
from .contacts import wake
from .kernel import Number, Record, kernel
from .lanes import maximum, minimum
from .layout import NOT_FINITE
from .settings import ONE, ZERO

_FALL_REWARD = -100.0
_STEPS_PER_SECOND = 50


@kernel
def act(world: Record, body: Record, action: Record) -> None:
    """Set the motors: the sign of a number is the direction, its magnitude the share of the torque."""
    effort = 0.0
    for j in range(body.n_joints):
        joint = world.joints[j]
        value = float64(action[j])
        share = float64(1.0) if abs(value) > 1.0 else abs(value)
        speed = 0.0
        if value > 0.0:
            speed = body.joints[j].max_speed
        elif value < 0.0:
            speed = -body.joints[j].max_speed
        joint.motor_speed = float32(speed)
        joint.max_motor_torque = float32(body.motor_torque * share)
        effort += share
    world.effort = effort
    for b in range(body.n_parts):
        wake(world.parts[b])


@kernel
def _cast_ray(
    obstacles: Record, segments: Record, world: Record, x: Number, y: Number, to_x: Number, to_y: Number
) -> Number:
    """The fraction of a ray at which it first hits the track, 1 if it does not."""
    lower_x, upper_x = minimum(x, to_x), maximum(x, to_x)
    lower_y, upper_y = minimum(y, to_y), maximum(y, to_y)
    d_x, d_y = to_x - x, to_y - y
    nearest = ONE
    for k in range(first_reaching(segments, world.n_segments, lower_x), world.n_segments):
        segment = segments[k]
        if segment.reach_lower > upper_x:
            break
        box = segment.box
        if box.upper_x < lower_x or box.lower_x > upper_x or box.upper_y < lower_y or box.lower_y > upper_y:
            continue
        n_x, n_y = segment.normal_x, segment.normal_y
        numerator = n_x * (segment.x1 - x) + n_y * (segment.y1 - y)
        denominator = n_x * d_x + n_y * d_y
        if denominator == ZERO:
            continue
        t = numerator / denominator
        if t < ZERO or nearest < t:
            continue
        r_x, r_y = segment.x2 - segment.x1, segment.y2 - segment.y1
        s = (((x + t * d_x) - segment.x1) * r_x + ((y + t * d_y) - segment.y1) * r_y) / (
            r_x * r_x + r_y * r_y
        )
        if ZERO <= s <= ONE:
            nearest = t
    for k in range(first_reaching(obstacles, world.n_obstacles, lower_x), world.n_obstacles):
        obstacle = obstacles[k]
        if obstacle.reach_lower > upper_x:
            break
        box = obstacle.box
        if box.upper_x < lower_x or box.lower_x > upper_x or box.upper_y < lower_y or box.lower_y > upper_y:
            continue
        polygon = obstacle.polygon
        lower, upper, entered, missed = ZERO, nearest, False, False
        for i in range(polygon.count):
            n_x, n_y = polygon.normal_x[i], polygon.normal_y[i]
            numerator = n_x * (polygon.x[i] - x) + n_y * (polygon.y[i] - y)
            denominator = n_x * d_x + n_y * d_y
            if denominator == ZERO:
                if numerator < ZERO:
                    missed = True
                    break
            elif denominator < ZERO and numerator < lower * denominator:
                lower, entered = numerator / denominator, True
            elif denominator > ZERO and numerator < upper * denominator:
                upper = numerator / denominator
            if upper < lower:
                missed = True
                break
        if entered and not missed:
            nearest = lower
    return nearest


@kernel
def observe(world: Record, body: Record, obstacles: Record, segments: Record, observation: Record) -> None:
    """Write the observation: hull (4), angle and speed per joint, feet, lidar."""
    hull = world.parts[0]
    observation[0] = hull.a
    observation[1] = float32(2.0 * float64(hull.w) / _STEPS_PER_SECOND)
    observation[2] = float32(0.3 * float64(hull.v_x) * 20 / _STEPS_PER_SECOND)
    observation[3] = float32(0.3 * float64(hull.v_y) * (400 / 30) / _STEPS_PER_SECOND)
    at = 4
    for j in range(body.n_joints):
        joint = body.joints[j]
        parent, child = world.parts[joint.parent], world.parts[joint.child]
        angle = child.a - parent.a - joint.reference_angle
        observation[at] = float32(float64(angle) + joint.observed_offset)
        observation[at + 1] = float32(float64(child.w - parent.w) / joint.max_speed)
        at += 2
        if body.parts[joint.child].is_foot:
            observation[at] = float32(child.touches_ground)
            at += 1
    for k in range(body.n_rays):
        to_x = float32(float64(hull.p_x) + body.ray_x[k])
        to_y = float32(float64(hull.p_y) + body.ray_y[k])
        observation[at + k] = _cast_ray(obstacles, segments, world, hull.p_x, hull.p_y, to_x, to_y)


@kernel
def _potential(world: Record) -> float:
    hull = world.parts[0]
    return 130 * float64(hull.p_x) / 30 - 5 * abs(float64(hull.a))


@kernel
def start_episode(world: Record) -> None:
    """Reset the counts of steps and reward."""
    world.steps = 0
    world.episode_return = 0.0
    world.shaping = _potential(world)


@kernel
def judge(world: Record, body: Record) -> tuple[float, bool, bool]:
    """Reward, termination and truncation after a step."""
    world.steps += 1
    x = float64(world.parts[0].p_x)
    shaping = _potential(world)
    reward = shaping - world.shaping - body.torque_penalty * world.effort
    world.shaping = shaping
    fallen = bool(world.hull_touched) or bool(x < 0)
    if fallen:
        reward = _FALL_REWARD
    terminated = fallen or bool(x > body.finish_x)
    truncated = not terminated and bool(world.steps >= body.time_limit)
    world.episode_return += reward
    return reward, terminated, truncated


@kernel
def check_finite(world: Record, body: Record) -> None:
    """Record an error if the state is not finite."""
    total = ZERO
    for b in range(body.n_parts):
        state = world.parts[b]
        total += state.c_x + state.c_y + state.a + state.v_x + state.v_y + state.w
    if not math.isfinite(total):
        world.error = NOT_FINITE

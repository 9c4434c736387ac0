"""Tracks, bodies and policies on which the batched engine is compared with Box2D."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from chiron.envs.env_info import env_info
from chiron.envs.walkers.layouts.obstacles import Stump, obstacle_track
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, LENGTH, STEP, Track
from chiron.envs.walkers.walker_body import BODIES, WalkerBody
from chiron.students.curriculum_vec_env import CurriculumVecEnv
from chiron.students.fast.fast_ppo import FastPPO
from chiron.teachers.curriculum import Curriculum
from chiron.teachers.random import Random
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecNormalize

WALKERS: dict[str, WalkerBody] = BODIES

MakeTrack = Callable[[np.random.Generator], Track]


def _points(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
    return np.stack([x, y], axis=1).astype(np.float32)


def flat_track(rng: np.random.Generator) -> Track:
    x = np.arange(201) * STEP
    return Track(_points(x, np.full_like(x, GROUND_LEVEL)), ())


def stumps(rng: np.random.Generator) -> Track:
    return obstacle_track(rng, [Stump(rng.uniform(0, 3))], rng.uniform(0, 6))


def dense_stumps(rng: np.random.Generator) -> Track:
    """More obstacles than any other track, low enough to walk on."""
    return obstacle_track(rng, [Stump(rng.uniform(0, 0.4))], 0.0)


def leaning_stumps(rng: np.random.Generator) -> Track:
    """The narrowest stumps that a task allows, as close together as possible, from behind the start on."""
    track = obstacle_track(rng, [Stump(2.4, width=0.0, rotation=0.9)], 0.0)
    shift = np.array([-8, 0], np.float32)
    ground = np.concatenate([track.ground[:1], track.ground[1:] + shift])
    return Track(ground, tuple(obstacle + shift for obstacle in track.obstacles))


def long_edges(rng: np.random.Generator) -> Track:
    """A few long edges, the first of them flat: a foot stands on one, far from its ends."""
    x = np.cumsum([0.0, *rng.uniform(10, 40, 10)])
    y = GROUND_LEVEL + np.concatenate([[0.0, 0.0], rng.uniform(-1, 1, 9)])
    return Track(_points(x, y), ())


def rough_track(rng: np.random.Generator) -> Track:
    """Uneven ground like Gymnasium's, but rougher."""
    heights, velocity, level = [], 0.0, GROUND_LEVEL
    for _ in range(201):
        velocity = 0.8 * velocity + 0.01 * np.sign(GROUND_LEVEL - level) + rng.uniform(-2, 2) / 30
        heights.append(level)
        level += velocity * (len(heights) > 15)
    return Track(_points(np.arange(201) * STEP, np.array(heights)), ())


def polygon_track(rng: np.random.Generator) -> Track:
    """Triangles to hexagons, small and large, some overlapping, on flat ground."""
    obstacles = []
    for x in np.arange(6.5, LENGTH, rng.uniform(0.8, 4)):
        corners = int(rng.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        while np.diff(angles, append=angles[0] + 2 * np.pi).max() > 2.8:
            angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        size = rng.uniform(0.1, 0.8)
        obstacles.append(
            _points(x + size * np.cos(angles), GROUND_LEVEL + size * np.sin(angles) * rng.uniform(0.3, 1))
        )
    return Track(flat_track(rng).ground, tuple(obstacles))


def hardcore_track(rng: np.random.Generator) -> Track:
    """Pits, boxes and stairs made of boxes on uneven ground, as in Gymnasium's hardcore walker."""
    ground = rough_track(rng).ground.copy()
    obstacles = []
    k = 20
    while k < 190:
        x, y = ground[k]
        kind = rng.integers(3)
        if kind == 0:  # a pit between two blocks
            width = float(rng.integers(3, 5)) * STEP
            obstacles += [_box(left, y - 4 * STEP, left + STEP, y) for left in (x, x + width)]
            ground[k + 1 : k + 1 + round(width / STEP), 1] -= 4 * STEP
        elif kind == 1:
            size = float(rng.integers(1, 3)) * STEP
            obstacles.append(_box(x, y, x + size, y + size))
        else:
            for i in range(4):
                rise = (i if rng.integers(2) else 3 - i) * STEP / 2
                obstacles.append(_box(x + i * STEP, y - STEP, x + (i + 1) * STEP, y + rise))
        k += int(rng.integers(6, 12))
    return Track(ground, tuple(obstacles))


def _box(left: float, bottom: float, right: float, top: float) -> NDArray[np.float32]:
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], np.float32)


TRACKS: dict[str, MakeTrack] = {
    "flat": flat_track,
    "stumps": stumps,
    "dense stumps": dense_stumps,
    "rough": rough_track,
    "polygons": polygon_track,
    "hardcore": hardcore_track,
    "long edges": long_edges,
}

Policy = Callable[[np.random.Generator, NDArray[np.float32]], NDArray[np.float32]]


def random_policy(joints: int) -> Policy:
    return lambda rng, observation: rng.uniform(-1.2, 1.2, joints).astype(np.float32)


def sluggish_policy(joints: int) -> Policy:
    """Holds each action for a while, sometimes a zero action, so that walkers fall asleep."""
    held = np.zeros(joints, np.float32)
    until, now = 0, 0

    def act(rng: np.random.Generator, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal until, now, held
        now += 1
        if now > until:
            until = now + int(rng.integers(5, 60))
            held = (rng.uniform(-1, 1, joints) * (rng.random() < 0.7)).astype(np.float32)
        return held.copy()

    return act


def heuristic_policy(joints: int) -> Policy:
    """Gymnasium's hand-written gait; for four legs, one per pair."""
    gaits = [BipedalWalkerHeuristics() for _ in range(joints // 4)]

    def act(rng: np.random.Generator, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = []
        for pair, gait in enumerate(gaits):
            legs = observation[4 + 10 * pair : 14 + 10 * pair]
            seen = np.concatenate([observation[:4], legs, observation[-10:]])
            parts.append(gait.step_heuristic(seen))  # type: ignore[no-untyped-call]
        noise = rng.normal(0, 0.05, joints)
        return (np.concatenate(parts) + noise).astype(np.float32)

    return act


MakePolicy = Callable[[int], Policy]
"""Makes the policy of one episode, given the number of joints."""

POLICIES: dict[str, MakePolicy] = {
    "random": random_policy,
    "sluggish": sluggish_policy,
    "heuristic": heuristic_policy,
}


def train_policy(body: WalkerBody, steps: int) -> MakePolicy:
    """Train PPO to walk over low stumps, and return a function that makes policies from it."""
    env = partial(StumpTracks, stump_height=(0.0, 0.5), obstacle_spacing=(3.0, 6.0), body=body)
    info = env_info(env())
    curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=0)
    vector = VecNormalize(CurriculumVecEnv([env] * 16, curriculum), gamma=0.99)
    model = FastPPO("MlpPolicy", vector, 4e-4, n_steps=256, batch_size=512, seed=0, device="cpu")
    model.learn(steps)

    def act(rng: np.random.Generator, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        action: NDArray[np.float32] = model.predict(vector.normalize_obs(observation), deterministic=True)[0]
        return action

    return lambda joints: act


def new_env(body: WalkerBody) -> StumpTracks:
    return StumpTracks(body=body)

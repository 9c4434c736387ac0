"""The envs that vector envs and whole runs are timed with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from chiron.envs.vector.action_repeat import repeat_actions
from chiron.envs.walkers.stump_tracks import StumpTracks
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

# Forked processes step as fast as others and start at once; others would each import torch first.
STOCK: dict[str, Callable[..., VecEnv]] = {
    "DummyVecEnv": DummyVecEnv,
    "SubprocVecEnv": partial(SubprocVecEnv, start_method="fork"),
}
"""Stable-Baselines3's own vector envs."""


class UniformTasks(gym.Wrapper[Any, Any, Any, Any]):
    """An env that draws its own tasks uniformly, as without a teacher.

    Args:
        env: An env with a `task_space`.
        seed: Seeds the draws.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self._space = env.get_wrapper_attr("task_space")
        self._rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return self.env.reset(seed=seed, options={"task": self._space.sample(self._rng)})


def stump_tracks() -> StumpTracks:
    """An env with Box2D's engine, which is stepped on its own."""
    return StumpTracks(engine="box2d")


def batched_stump_tracks() -> StumpTracks:
    """An env with the batched engine, which steps many in one compiled call."""
    return StumpTracks(engine="batched")


def _uniform_stump_tracks(slot: int, action_repeat: int) -> UniformTasks:
    return UniformTasks(repeat_actions(stump_tracks, action_repeat), slot)


def stock_vec_env(kind: str, slots: int, action_repeat: int = 1) -> VecEnv:
    """Stump Tracks with uniform tasks in one of Stable-Baselines3's own vector envs.

    Args:
        kind: A key of `STOCK`.
        slots: Number of envs, and of processes with `SubprocVecEnv`.
        action_repeat: How often each action is repeated.
    """
    return STOCK[kind]([partial(_uniform_stump_tracks, slot, action_repeat) for slot in range(slots)])

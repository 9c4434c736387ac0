"""A world that is acted upon more slowly than it moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv


class ActionRepeat(gym.Wrapper[Any, Any, Any, Any]):
    """Plays each action several times in a row, as one step whose reward is the sum.

    A step ends early where the episode does. Everything else is the world's own; its time limit goes on
    counting the world's steps.

    Args:
        env: The world.
        times: How often each action is played.

    Raises:
        ValueError: If an action would not be played at all.
    """

    def __init__(self, env: gym.Env[Any, Any], times: int) -> None:
        super().__init__(env)
        if times < 1:
            raise ValueError(f"action_repeat={times} must be at least 1")
        self.times = times

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play an action up to `times` times; returns what the last one showed, and the sum of rewards."""
        total = 0.0
        for _ in range(self.times):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info

    def make_batch(self, num_envs: int, n_threads: int) -> VectorEnv[Any, Any, Any] | None:
        """Many worlds like this one, stepped in one call, if the world inside can be; None otherwise."""
        make_batch = getattr(self.env, "make_batch", None)
        if make_batch is None:
            return None
        batch: VectorEnv[Any, Any, Any] | None = make_batch(num_envs, n_threads, self.times)
        return batch


def slowed_down(make_world: Callable[[], gym.Env[Any, Any]], times: int) -> gym.Env[Any, Any]:
    """Make a world in which each action is played `times` times; the world itself, if once.

    Raises:
        ValueError: If an action would not be played at all.
    """
    return make_world() if times == 1 else ActionRepeat(make_world(), times)

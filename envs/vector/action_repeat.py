"""Action repeat: each action is played for several steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym


class ActionRepeat(gym.Wrapper[Any, Any, Any, Any]):
    """Plays each action several times in a row, as one step whose reward is the sum.

    A step ends early if the episode does. Everything else is the env's own; its time limit counts the
    env's steps.

    Args:
        env: The env.
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
        """Play an action up to `times` times; returns the last observation and the sum of rewards."""
        total = 0.0
        for _ in range(self.times):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


def repeat_actions(make_env: Callable[[], gym.Env[Any, Any]], times: int) -> gym.Env[Any, Any]:
    """Make an env in which each action is played `times` times; the plain env if `times` is 1.

    Raises:
        ValueError: If an action would not be played at all.
    """
    return make_env() if times == 1 else ActionRepeat(make_env(), times)

"""What an env declares about its tasks and returns, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from .task_space import TaskSpace


@dataclass(frozen=True)
class EnvInfo:
    """What teachers, students and evaluations know about an env.

    Attributes:
        task_space: The space of the env's tasks.
        return_range: Lowest and highest episode return; None if the env does not declare it.
        mastered_return: A task is mastered in an episode whose return is above this; None if the env does
            not declare it.

    Raises:
        ValueError: If `task_space` is not a `TaskSpace`, the range is not increasing, or `mastered_return`
            lies outside the range.
    """

    task_space: TaskSpace
    return_range: tuple[float, float] | None = None
    mastered_return: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.task_space, TaskSpace):
            raise ValueError(f"task_space={self.task_space!r} must be a TaskSpace")
        if self.return_range is None:
            return
        low, high = self.return_range
        if not low < high:
            raise ValueError(f"return_range=[{low:g}, {high:g}] must be the lowest and the highest return")
        if self.mastered_return is not None and not low <= self.mastered_return <= high:
            raise ValueError(
                f"mastered_return={self.mastered_return} must lie in return_range=[{low:g}, {high:g}]"
            )


def env_info(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> EnvInfo:
    """Read an env's task space, return range and mastered return.

    Args:
        env: An env, wrapped or not, or a vector env, whose first slot is read.

    Raises:
        ValueError: If the env has no task space, or declares returns that contradict each other.
    """
    space = _declared(env, "task_space")
    if space is None:
        raise ValueError(f"{env} has no task_space, so a teacher has nothing to choose")
    return EnvInfo(space, _declared(env, "return_range"), _declared(env, "mastered_return"))


def _declared(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any], name: str) -> Any:
    """An attribute of an env or of the wrappers around it; None if there is none."""
    if isinstance(env, gym.Env):
        return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None
    if not hasattr(env, "call"):
        return getattr(env, name, None)
    return env.call(name)[0] if env.call("has_wrapper_attr", name)[0] else None

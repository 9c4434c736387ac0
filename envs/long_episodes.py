"""Warns of episodes that do not end."""

from __future__ import annotations

import logging
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from .env_info import env_info
from .task_space import Task

REMEDY = (
    "max_episode_steps in its YAML (+env.max_episode_steps=1000) limits the episodes of a Gymnasium env, "
    "another env needs a time limit of its own"
)
"""Advice for an env whose episodes may not end."""

_LONG = 5_000
"""Number of steps of an episode before the first warning."""

_log = logging.getLogger(__name__)


class LongEpisodes:
    """Warns of an episode that has not ended after 5,000 steps, and again whenever that number has doubled.

    Args:
        envs: The env or vector env in which the episodes are played.

    Attributes:
        next: Length of an episode at the next warning.
    """

    def __init__(self, envs: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        self._envs = envs
        self.next = _LONG

    def watch(self, length: int, task: Task, seed: int) -> None:
        """Warn if the longest of the current episodes is too long.

        Args:
            length: Its number of steps so far.
            task: Its task, shape (d,).
            seed: Its seed.
        """
        if length < self.next:
            return
        self.next = 2 * length
        _log.warning(
            "the episode in task (%s) with seed %d has not ended after %s steps: %s",
            env_info(self._envs).task_space.shown(task),
            seed,
            f"{length:,}",
            REMEDY,
        )

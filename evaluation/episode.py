"""One episode, played step by step to be watched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import Task
from .evaluate import Policy


class PlayedEpisode:
    """An episode, played only as far as its steps are consumed; `str` describes its result.

    Args:
        env: The env to play in.
        policy: Chooses actions.
        task: The task, shape (d,); None for the env's default.
        seed: Seeds the episode.
        max_steps: Number of steps after which it is cut off.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: Policy,
        task: Task | None,
        seed: int,
        max_steps: float = math.inf,
    ) -> None:
        self._env = env
        self._policy = policy
        self._options = {} if task is None else {"task": task}
        self._seed = seed
        self._max_steps = max_steps
        self._return = 0.0
        self._length = 0
        self._last_info: dict[str, Any] | None = None

    def steps(self) -> Iterator[None]:
        """Play the episode; yields after the reset and after each step."""
        observation, info = self._env.reset(seed=self._seed, options=self._options)
        self._task = info["task"]
        yield
        while self._last_info is None and self._length < self._max_steps:
            action = self._policy(observation, self._length == 0)
            observation, reward, terminated, truncated, info = self._env.step(action)
            self._return += float(reward)
            self._length += 1
            if terminated or truncated:
                self._last_info = info
            yield

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Play in an env with a `RenderCollection` around it; frames have shape (height, width, 3)."""
        for _ in self.steps():
            # The frames collected since the last call.
            yield from cast("list[NDArray[np.uint8]]", self._env.render())

    def __str__(self) -> str:
        columns = self._env.get_wrapper_attr("task_space").columns
        task = ", ".join(f"{name}={value:.3g}" for name, value in zip(columns, self._task, strict=True))
        if self._last_info is None:
            outcome = "cut off before its end"
        elif "is_success" in self._last_info:
            outcome = "mastered" if self._last_info["is_success"] else "not mastered"
        else:
            outcome = "ended"
        return f"{task}\nreturn {self._return:.1f} in {self._length:,} steps, {outcome}"

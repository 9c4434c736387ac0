"""A probe env with known answers; kept apart so that worker processes import no other test code."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from chiron.envs.task_space import TaskParameter, TaskSpace
from gymnasium import spaces

Observation = np.ndarray[tuple[int], np.dtype[np.float32]]


class CountdownEnv(gym.Env[Observation, Observation]):
    """Episodes have `duration` steps with reward `worth`; observed are duration, worth and a seeded draw.

    The task determines everything about an episode, so a result credited to another task shows.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)
    return_range = (0.0, 100.0)

    def __init__(self) -> None:
        self.task_space = TaskSpace(
            [TaskParameter("duration", 1, 30, default=5), TaskParameter("worth", -1, 1, default=0.5)]
        )
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.resets: list[tuple[list[float], int | None]] = []
        self.poison: float | None = None
        """Once set, the reward of every further step."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        self.resets.append((task.tolist(), seed))
        self._left, self._worth = int(np.ceil(task[0])), float(task[1])
        self._observation = np.array([task[0], task[1], self.np_random.random()], dtype=np.float32)
        return self._observation, {"task": task}

    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self._left -= 1
        over = self._left == 0
        reward = self._worth if self.poison is None else self.poison
        info = {"is_success": self._worth > 0} if over else {}
        return self._observation.copy(), reward, over, False, info

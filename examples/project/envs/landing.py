"""Landing: touch down softly, with height and gravity as the task."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from chiron.envs.task_space import Quantity, Setting, TaskSettings
from gymnasium import spaces
from numpy.typing import NDArray

Observation = NDArray[np.float32]


class Landing(gym.Env[Observation, Observation]):
    """Brake a falling craft before it reaches the ground.

    Observation: height in m, speed in m/s (negative: falling), gravity in m/s². Action: thrust in [-1, 1],
    from none to 8 m/s². Reward: minus 0.01 per step; at the ground 1 less a tenth of the speed. An episode
    ends at the ground and is cut off after 300 steps of 0.05 s. Success: at the ground with at most 2 m/s.

    Args:
        height: Initial height, m.
        gravity: Acceleration of the fall, m/s².
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)
    return_range = (-5.0, 1.0)
    mastered_return = 0.0
    time_limit = 300

    def __init__(self, height: Setting = (1.0, 20.0), gravity: Setting = (1.0, 6.0)) -> None:
        units = {"height": Quantity("m"), "gravity": Quantity("m/s²")}
        self.settings = TaskSettings({"height": height, "gravity": gravity}, units)
        self.task_space = self.settings.space
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start at rest, at the height of the task."""
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        values = self.settings.values_in(task)
        self._height, self._gravity = float(values["height"]), float(values["gravity"])
        self._speed, self._steps = 0.0, 0
        return self._observe(), {"task": task}

    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Advance by 0.05 s."""
        thrust = 4.0 * (1.0 + float(np.clip(action[0], -1.0, 1.0)))
        self._speed += 0.05 * (thrust - self._gravity)
        self._height = self._height + 0.05 * self._speed
        self._steps += 1
        landed = self._height <= 0
        too_late = not landed and self._steps >= self.time_limit
        reward = -0.01 + (1.0 + max(self._speed, -30.0) / 10.0 if landed else 0.0)
        info = {"is_success": landed and self._speed >= -2.0} if landed or too_late else {}
        return self._observe(), reward, landed, too_late, info

    def _observe(self) -> Observation:
        return np.array([self._height, self._speed, self._gravity], dtype=np.float32)

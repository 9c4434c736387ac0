"""A tiny env for every kind of space that Stable-Baselines3 knows."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from chiron.envs.task_space import TaskParameter, TaskSpace
from gymnasium import spaces

OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-1, 1, (3,), np.float32),
    "box64": spaces.Box(-1, 1, (3,), np.float64),
    "image": spaces.Box(0, 255, (6, 5, 3), np.uint8),
    "discrete": spaces.Discrete(5),
    "multi_discrete": spaces.MultiDiscrete([2, 3]),
    "multi_binary": spaces.MultiBinary(4),
    "dict": spaces.Dict({"numbers": spaces.Box(-1, 1, (3,), np.float64), "choice": spaces.Discrete(3)}),
    "goals": spaces.Dict(
        {key: spaces.Box(-1, 1, (2,), np.float32) for key in ("observation", "achieved_goal", "desired_goal")}
    ),
}
ACTIONS: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "box64": spaces.Box(-2, 2, (2,), np.float64),
    "discrete": spaces.Discrete(4),
    "multi_discrete": spaces.MultiDiscrete([3, 2]),
    "multi_binary": spaces.MultiBinary(3),
}


class SpacesEnv(gym.Env[Any, Any]):
    """Observations are random; rewards depend on the observations and the actions.

    Rewards are multiples of 1/64, so that sums of them are exact in every float type.

    Args:
        observations: One of `OBSERVATIONS`.
        actions: One of `ACTIONS`.
        render_mode: Render mode; frames are of one colour.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    return_range = (0.0, 10.0)

    def __init__(self, observations: str, actions: str, render_mode: str | None = None) -> None:
        self.task_space = TaskSpace([TaskParameter("duration", 3, 9, default=5)])
        self.observation_space, self.action_space = OBSERVATIONS[observations], ACTIONS[actions]
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        self._left = int(np.ceil(task[0]))
        return self._observe(), {"task": task}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), f"{action!r} is not in {self.action_space}"
        if isinstance(self.action_space, spaces.Discrete):
            assert {0: "it can be looked up", action: ""}  # which is not possible with an array
        if not isinstance(self.action_space, spaces.Box):
            first = np.cumsum([0, *self._choices[:-1]])
            self.allowed = self.action_masks()[np.asarray(action, int) + first].all()
        values = np.concatenate([np.ravel(part) for part in self._parts()])
        worth = float(
            np.round(8 * np.cos(values.sum() + np.arange(1, 1 + np.size(action)) @ np.ravel(action)))
        )
        self._left -= 1
        over = self._left == 0
        info = {"is_success": worth > 0} if over else {"left": [self._left] * self._left}
        return self._observe(), worth / 64, over, False, info

    @property
    def _choices(self) -> list[int]:
        """Number of options of each choice."""
        space: Any = self.action_space
        if hasattr(space, "nvec"):
            return list(space.nvec)
        return [2] * space.n if space.shape else [space.n]

    def action_masks(self) -> Any:
        """Forbid one option of each choice, a different one after every step."""
        masks = [np.arange(options) != self._left % options for options in self._choices]
        return np.concatenate(masks)

    def compute_reward(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """As required by HerReplayBuffer."""
        return -np.linalg.norm(achieved_goal - desired_goal, axis=-1).astype(np.float32)

    def render(self) -> Any:
        return np.full((16, 16, 3), 20 * self._left, np.uint8)

    def _observe(self) -> Any:
        space = self.observation_space
        self._observation: Any = self._draw(space)
        return self._observation

    def _draw(self, space: spaces.Space[Any]) -> Any:
        if isinstance(space, spaces.Dict):
            return {key: self._draw(part) for key, part in space.items()}
        if isinstance(space, spaces.Box) and space.dtype != np.uint8:
            return self.np_random.uniform(space.low, space.high).astype(space.dtype)
        options: Any = 2 if isinstance(space, spaces.MultiBinary) else getattr(space, "n", 256)
        drawn = np.asarray(self.np_random.integers(getattr(space, "nvec", options), size=space.shape))
        return int(drawn) if isinstance(space, spaces.Discrete) else drawn.astype(space.dtype)

    def _parts(self) -> list[Any]:
        seen = self._observation
        return list(seen.values()) if isinstance(seen, dict) else [seen]

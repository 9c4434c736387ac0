"""Envs for worker processes; kept apart so that workers import no other test code."""

from __future__ import annotations

import os
import time
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from tests.countdown_env import CountdownEnv


class TroubledEnv(CountdownEnv):
    """Fails at its third step in the way selected by the first number of its task."""

    RAISE, DIE, HANG = 1.0, 2.0, 3.0

    def step(self, action: Any) -> Any:
        trouble, self._steps = self._observation[0], getattr(self, "_steps", 0) + 1
        if self._steps == 3:
            if trouble == self.RAISE:
                raise ArithmeticError("the env does not add up")
            if trouble == self.DIE:
                os._exit(7)
            if trouble == self.HANG:
                time.sleep(3600)
        return np.copy(self._observation), 0.0, False, False, {}


class DictEnv(gym.Env[Any, Any]):
    """An env with dict observations, discrete actions and no task space."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(self) -> None:
        self.observation_space = spaces.Dict(
            {"count": spaces.Box(0, 100, (2,), np.float32), "parity": spaces.Discrete(2)}
        )
        self.action_space = spaces.Discrete(5)
        self._count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._count = int(self.np_random.integers(10))
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self._count += int(action)
        return self._observe(), float(action), self._count > 50, False, {}

    def _observe(self) -> dict[str, Any]:
        return {"count": np.full(2, self._count, np.float32), "parity": self._count % 2}


class TalkativeEnv(CountdownEnv):
    """Its infos have different keys, shapes and types at every step and in every slot."""

    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        contacts = np.arange(self._left)
        return *rest, info | {"contacts": contacts, f"left {self._left}": {"as": ["it", "is"]}}

"""The update that all SAC implementations are timed on; runs in the interpreter that has SBX, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.logger import Logger

NETWORKS = [400, 300]
BATCH = 1000
OBSERVATIONS, ACTIONS = 24, 4
_SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": BATCH,
    "buffer_size": 100_000,
    "ent_coef": 0.005,
    "policy_kwargs": {"net_arch": NETWORKS},
    "seed": 0,
}


class BenchSpaces(gym.Env[Any, Any]):
    """The spaces of the walkers, and nothing else."""

    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVATIONS,), np.float32)
    action_space = spaces.Box(-1, 1, (ACTIONS,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return np.zeros(OBSERVATIONS, dtype=np.float32), {}


def updater(algorithm: Callable[..., Any], updates: int, **settings: Any) -> Callable[[], int]:
    """A function that makes updates on random transitions, and returns their number.

    Args:
        algorithm: Stable-Baselines3's SAC, or a class with its interface.
        updates: Number of updates per call.
        settings: Further arguments of the algorithm.
    """
    model = algorithm("MlpPolicy", BenchSpaces(), **_SETTINGS, **settings)
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(0)
    for _ in range(2 * BATCH):
        obs, next_obs = rng.standard_normal((2, 1, OBSERVATIONS)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, ACTIONS)).astype(np.float32)
        over = np.zeros(1, dtype=bool)
        model.replay_buffer.add(obs, next_obs, action, rng.standard_normal(1), over, [{}])

    def update() -> int:
        model.train(updates, BATCH)
        return updates

    return update

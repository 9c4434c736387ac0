"""The updates that PPO implementations are timed on: those of one rollout, as in `student=ppo`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmarks.sac import BenchSpaces

NETWORKS = [64, 64]
BATCH = 512
_ENVS, _STEPS, _EPOCHS = 32, 128, 2


def updater(algorithm: type[PPO]) -> Callable[[], int]:
    """A function that makes two epochs of updates on a random rollout, and returns their number.

    Args:
        algorithm: Stable-Baselines3's PPO, or a subclass of it.
    """
    model = algorithm(
        "MlpPolicy",
        DummyVecEnv([BenchSpaces] * _ENVS),
        n_steps=_STEPS,
        batch_size=BATCH,
        n_epochs=_EPOCHS,
        policy_kwargs={"net_arch": NETWORKS, "optimizer_kwargs": {"eps": 1e-5, "fused": True}},
        seed=0,
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(0)
    buffer = model.rollout_buffer

    def update() -> int:
        buffer.reset()
        for name in ("observations", "actions", "advantages", "returns"):
            array = getattr(buffer, name)
            array[:] = rng.standard_normal(array.shape)
        buffer.log_probs[:] = -4.0
        buffer.full = True
        model.train()
        return _EPOCHS * _ENVS * _STEPS // BATCH

    return update

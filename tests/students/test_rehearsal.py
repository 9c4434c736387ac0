from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import pytest
from chiron.students.rehearsal import rehearse
from sb3_contrib import TRPO
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv

_HUGE = 10**14


@pytest.mark.medium
@pytest.mark.parametrize(
    ("algorithm", "amounts"),
    [
        (PPO, {"n_epochs": _HUGE, "n_steps": _HUGE, "batch_size": _HUGE}),
        (SAC, {"gradient_steps": _HUGE, "learning_starts": _HUGE}),
        (TRPO, {"n_critic_updates": _HUGE, "cg_max_steps": _HUGE, "line_search_max_iter": _HUGE}),
    ],
)
def test_takes_a_moment_whatever_the_amounts(algorithm: Any, amounts: dict[str, int]) -> None:
    envs = DummyVecEnv([lambda: gym.make("Pendulum-v1")])
    rehearse(partial(algorithm, "MlpPolicy", **amounts), lambda wrapped: wrapped, envs)

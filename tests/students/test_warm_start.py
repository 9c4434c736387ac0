from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from chiron.students.rehearsal import rehearse
from chiron.students.saved_student import save_student
from chiron.students.warm_start import warm_start
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [4]}, "n_steps": 8, "batch_size": 8, "device": "cpu"}


def envs(count: int = 1, env_id: str = "CartPole-v1") -> DummyVecEnv:
    return DummyVecEnv([lambda: gym.make(env_id)] * count)


def test_networks_are_taken_over(tmp_path: Path) -> None:
    other, model = (PPO("MlpPolicy", envs(), seed=seed, **SMALL) for seed in (0, 1))
    save_student(other, tmp_path)
    for source in (tmp_path, tmp_path / "model.zip"):
        warm_start(model, source)
        for mine, theirs in zip(model.policy.parameters(), other.policy.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    assert model.num_timesteps == 0


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_student(PPO("MlpPolicy", envs(), **SMALL), tmp_path)
    with pytest.raises(ValueError, match="load=nowhere must be a run or a saved algorithm"):
        warm_start(PPO("MlpPolicy", envs(), **SMALL), Path("nowhere"))
    larger = {**SMALL, "policy_kwargs": {"net_arch": [5]}}
    with pytest.raises(ValueError, match="holds other networks than this student's"):
        warm_start(PPO("MlpPolicy", envs(), **larger), tmp_path)
    with pytest.raises(ValueError, match=r"has no normalization.npz beside it.*student.vec_normalize=null"):
        warm_start(PPO("MlpPolicy", VecNormalize(envs()), **SMALL), tmp_path)
    save_student(PPO("MlpPolicy", VecNormalize(envs()), **SMALL), tmp_path)
    with pytest.raises(ValueError, match="does not normalise"):
        warm_start(PPO("MlpPolicy", envs(), **SMALL), tmp_path)


class TestRehearsal:
    def test_finds_what_is_asserted_in_learning(self) -> None:
        pendulums = envs(2, "Pendulum-v1")
        rehearse(
            partial(SAC, "MlpPolicy", buffer_size=10**9, learning_starts=10**6), lambda vec: vec, pendulums
        )
        episodic = partial(SAC, "MlpPolicy", train_freq=(1, "episode"))
        with pytest.raises(AssertionError, match="only one env when doing episodic training"):
            rehearse(episodic, lambda vec: vec, pendulums)
        rehearse(episodic, lambda vec: vec, envs(1, "Pendulum-v1"))

    def test_leaves_arguments_as_they_are(self) -> None:
        kwargs = {"net_arch": [4]}
        algorithm = partial(PPO, "MlpPolicy", n_steps=2048, policy_kwargs=kwargs)
        rehearse(algorithm, VecNormalize, envs(2))
        assert algorithm.keywords == {"n_steps": 2048, "policy_kwargs": {"net_arch": [4]}}

"""What every env in `conf/env` must do."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from chiron.envs.env_checks import CHECKS, check_that
from chiron.envs.env_info import env_info
from chiron.envs.vector.batchable_env import BatchableEnv
from chiron.students import CurriculumVecEnv
from chiron.students.sb3_env_check import is_a_stable_baselines_env
from chiron.teachers import Curriculum, Random
from chiron.teachers.episode import Episode
from stable_baselines3 import PPO

from tests.listing import build_env, composed, env_names

ENVS = env_names()


@pytest.mark.parametrize("name", ENVS)
class TestEveryEnv:
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_keeps_the_contract(self, name: str, check: Any) -> None:
        check_that(check, partial(build_env, name))

    def test_passes_the_checker_of_stable_baselines_without_a_warning(self, name: str) -> None:
        check_that(is_a_stable_baselines_env, partial(build_env, name))

    def test_is_registered(self, name: str) -> None:
        env, arguments = build_env(name), composed(f"env={name}")["env"]
        del arguments["_target_"]
        made = gym.make(f"chiron/{type(env).__name__}-v0", disable_env_checker=True, **arguments)
        assert env_info(made).task_space.columns == env.task_space.columns
        made.reset(seed=0)
        assert made.spec is not None
        assert made.spec.name == type(env).__name__
        if isinstance(env, BatchableEnv):
            envs = gym.make_vec(f"chiron/{type(env).__name__}-v0", 2, **arguments)
            assert type(envs.unwrapped) is type(env.batch(2))
            assert env_info(envs.unwrapped).task_space.columns == env_info(env).task_space.columns

    def test_seeds_make_different_episodes(self, name: str) -> None:
        env = build_env(name)
        actions = [env.action_space.sample() for _ in range(300)]
        seen = []
        for seed in (0, 1):
            episode = [env.reset(seed=seed, options={"task": env.task_space.default})[0]]
            for action in actions:
                observation, _, terminated, truncated, _ = env.step(action)
                episode.append(observation)
                if terminated or truncated:
                    break
            seen.append(np.concatenate([np.ravel(observation) for observation in episode]))
        assert not np.array_equal(seen[0], seen[1])

    @pytest.mark.slow
    def test_a_student_learns_in_it_through_a_curriculum(self, name: str) -> None:
        info = env_info(build_env(name))
        curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=0)
        episodes: list[Episode] = []
        curriculum.listeners.append(episodes.append)
        vec_env = CurriculumVecEnv([partial(build_env, name)] * 2, curriculum)
        model = PPO("MlpPolicy", vec_env, n_steps=256, batch_size=128, n_epochs=2, seed=0, device="cpu")
        before = {key: tensor.clone() for key, tensor in model.policy.state_dict().items()}
        while len(episodes) < 2:
            model.learn(512, reset_num_timesteps=False)
        vec_env.close()

        tasks = [episode.task for episode in episodes]
        assert all(info.task_space.contains(task) for task in tasks)
        assert not np.array_equal(tasks[0], tasks[1])
        assert info.mastered_return is not None
        assert info.return_range == build_env(name).return_range
        for episode in episodes:
            assert np.isfinite(episode.episode_return)
            assert episode.success == (episode.episode_return > info.mastered_return)
        after = model.policy.state_dict()
        assert any(not tensor.equal(after[key]) for key, tensor in before.items())

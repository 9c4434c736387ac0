"""What every world in `conf/env` must do."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_for_gymnasium
from stable_baselines3.common.env_checker import check_env as check_for_sb3

from tests.listing import build_world, worlds

WORLDS = worlds()


def play(world: gym.Env[Any, Any], seed: int, task: Any, steps: int = 200) -> list[Any]:
    """Everything seen in an episode of random actions that depend on nothing but the seed."""
    world.action_space.seed(seed)
    observation, _ = world.reset(seed=seed, options={"task": task})
    seen = [observation]
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = world.step(world.action_space.sample())
        seen += [observation, reward]
        if terminated or truncated:
            break
    return seen


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", WORLDS)
class TestEveryWorld:
    def test_passes_the_checkers_without_a_warning(self, name: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Its only objection is to worlds that were not made by gymnasium.make.
            warnings.filterwarnings("ignore", message=".*env.spec.*")
            check_for_gymnasium(build_world(name), skip_render_check=True)
            check_for_sb3(build_world(name))

    def test_an_episode_depends_on_task_seed_and_actions_alone(self, name: str) -> None:
        fresh, used = build_world(name), build_world(name)
        rng = np.random.default_rng(0)
        tasks = used.task_space.sample(rng, 3)
        for seed, task in enumerate(tasks):
            play(used, 10 + seed, used.task_space.sample(rng))
            assert same(play(fresh, seed, task), play(used, seed, task))
            fresh = build_world(name)

    def test_seeds_make_different_episodes(self, name: str) -> None:
        world = build_world(name)
        actions = [world.action_space.sample() for _ in range(300)]
        seen = []
        for seed in (0, 1):
            episode = [world.reset(seed=seed, options={"task": world.task_space.default})[0]]
            for action in actions:
                observation, _, terminated, truncated, _ = world.step(action)
                episode.append(observation)
                if terminated or truncated:
                    break
            seen.append(episode)
        assert not same(*seen)

    def test_a_task_is_a_vector_or_a_dict(self, name: str) -> None:
        world = build_world(name)
        space = world.task_space
        task = space.sample(np.random.default_rng(0))
        assert same(play(world, 0, task), play(world, 0, space.to_dict(task)))
        assert world.reset(seed=0, options={"task": space.to_dict(task)})[1]["task"].tolist() == task.tolist()

    def test_a_task_outside_the_space_is_refused(self, name: str) -> None:
        world = build_world(name)
        space = world.task_space
        with pytest.raises(ValueError, match=f"{space.columns[0]}=.* must lie in"):
            world.reset(options={"task": space.high + 1})
        with pytest.raises(ValueError, match="unknown task parameter 'gravitas'"):
            world.reset(options={"task": {"gravitas": 1.0}})

    def test_the_last_step_says_whether_the_episode_was_a_success(self, name: str) -> None:
        world = build_world(name)
        world.reset(seed=0)
        for _ in range(100_000):
            _, _, terminated, truncated, info = world.step(np.zeros_like(world.action_space.sample()))
            assert ("is_success" in info) == (terminated or truncated)
            if terminated or truncated:
                return
        raise AssertionError("the episode did not end")

    def test_declares_the_range_of_its_returns(self, name: str) -> None:
        low, high = build_world(name).return_range
        assert low < high

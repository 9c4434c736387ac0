"""Are an env's declarations of tasks and returns read, and contradictions refused?"""

from __future__ import annotations

import gymnasium as gym
import pytest
from chiron.envs import EnvInfo, StumpTracks, env_info
from chiron.envs.vector.make_vec import make_vec

from tests.countdown_env import CountdownEnv


def test_is_read_through_wrappers() -> None:
    env = gym.wrappers.TimeLimit(StumpTracks(), 10)
    info = env_info(env)
    assert info.task_space.columns == StumpTracks.task_space().columns
    assert (info.return_range, info.mastered_return) == ((-150.0, 350.0), 230.0)


@pytest.mark.parametrize("n_workers", [0, 1])
@pytest.mark.parametrize("engine", ["box2d", "batched"])
def test_is_read_from_a_vector_env(engine: str, n_workers: int) -> None:
    env = StumpTracks(engine=engine)
    envs = make_vec(lambda: StumpTracks(engine=engine), 2, n_workers=n_workers)
    info = env_info(envs)
    envs.close()
    assert info.task_space.columns == env.task_space.columns
    assert (info.return_range, info.mastered_return) == (env.return_range, env.mastered_return)


def test_what_is_not_declared_is_none() -> None:
    info = env_info(CountdownEnv())
    assert (info.return_range, info.mastered_return) == ((0.0, 100.0), None)


def test_an_env_without_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no task_space"):
        env_info(gym.make("CartPole-v1"))


def test_contradictions_are_refused() -> None:
    space = StumpTracks.task_space()
    with pytest.raises(ValueError, match=r"return_range=\[1, 0\] must be the lowest and the highest"):
        EnvInfo(space, (1.0, 0.0))
    with pytest.raises(ValueError, match=r"mastered_return=2.0 must lie in return_range=\[0, 1\]"):
        EnvInfo(space, (0.0, 1.0), 2.0)

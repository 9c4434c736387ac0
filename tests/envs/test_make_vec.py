"""Does make_vec choose the fastest way to step each kind of env?"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from chiron.envs import HexagonTracks, OpenEndedTracks, RuggedStumpTracks, StumpTracks, make_vec
from chiron.envs.same_value import same_value
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.envs.vector.sync_vector_env import SyncTaskVectorEnv

MakeEnv = Callable[[], gym.Env[Any, Any]]


class Generous(StumpTracks):
    """An env with its own reward."""

    def step(self, action: Any) -> Any:
        observation, reward, *rest = super().step(action)
        return observation, reward + 1.0, *rest


def stepped_by(*env_fns: MakeEnv, n_workers: int = 0) -> str:
    envs = make_vec(env_fns, n_workers=n_workers)
    envs.close()
    return type(envs).__name__


def make(rank: int, seed: int = 0) -> MakeEnv:
    """As in Stable-Baselines3's guide."""

    def init() -> gym.Env[Any, Any]:
        env = gym.make("chiron/StumpTracks-v0")
        env.reset(seed=seed + rank)
        return env

    return init


def lenient() -> StumpTracks:
    env = StumpTracks()
    env.mastered_return = 100.0  # type: ignore[misc]  # an instance's own
    return env


def test_the_idiom_of_stable_baselines_reaches_the_engine() -> None:
    env_fns = [make(rank) for rank in range(3)]
    envs, loop = make_vec(env_fns), SyncTaskVectorEnv(env_fns)
    assert type(envs).__name__ == "WalkerVectorEnv"
    # Each slot continues with the generator that its function seeded.
    np.testing.assert_array_equal(envs.reset()[0], loop.reset()[0])
    np.testing.assert_array_equal(envs.reset()[0], loop.reset()[0])


@pytest.mark.parametrize(
    "env_fns",
    [
        [StumpTracks] * 2,
        [lambda: StumpTracks()] * 2,
        [lambda: StumpTracks(), lambda: StumpTracks(stump_height=[0, 3.0])],
        [lambda: RuggedStumpTracks(shuffle_seed=1), lambda: RuggedStumpTracks(shuffle_seed=1)],
        [lambda: OpenEndedTracks(test_env="stairs") for _ in range(2)],
        [lambda: ActionRepeat(StumpTracks(), 2) for _ in range(2)],
        [lenient, lambda: lenient()],
    ],
)
def test_equal_walkers_reach_the_engine(env_fns: list[MakeEnv]) -> None:
    assert stepped_by(*env_fns) == "WalkerVectorEnv"


@pytest.mark.parametrize(
    "env_fns",
    [
        [StumpTracks, lambda: StumpTracks(stump_height=[0, 2])],
        [StumpTracks, lambda: StumpTracks(body="short")],
        [StumpTracks, HexagonTracks],
        [RuggedStumpTracks, lambda: RuggedStumpTracks(shuffle_seed=1)],
        [OpenEndedTracks, lambda: OpenEndedTracks(test_env="stairs")],
        [StumpTracks, lambda: ActionRepeat(StumpTracks(), 2)],
        [StumpTracks, lenient],
    ],
)
def test_walkers_that_differ_are_stepped_one_by_one(env_fns: list[MakeEnv]) -> None:
    assert stepped_by(*env_fns) == "SyncTaskVectorEnv"


def test_envs_choose_how_they_are_stepped() -> None:
    def box2d() -> StumpTracks:
        return StumpTracks(engine="box2d")

    def cut_short() -> gym.Env[Any, Any]:
        return gym.wrappers.TimeLimit(StumpTracks(), 5)

    assert stepped_by(StumpTracks, StumpTracks) == "WalkerVectorEnv"
    assert stepped_by(box2d, box2d) == stepped_by(StumpTracks, box2d) == "SyncTaskVectorEnv"
    assert stepped_by(box2d, box2d, n_workers=1) == "AsyncTaskVectorEnv"
    # Only wrappers and subclasses know what they do.
    assert stepped_by(cut_short, cut_short) == "SyncTaskVectorEnv"
    assert stepped_by(Generous, Generous) == "SyncTaskVectorEnv"
    with pytest.raises(ValueError, match=r"engine='bullet' must be one of \['batched', 'box2d', 'cuda'\]"):
        StumpTracks(engine="bullet")


def test_one_function_for_many_slots_is_called_once() -> None:
    calls = []

    def counted() -> StumpTracks:
        calls.append(1)
        return StumpTracks()

    assert make_vec(counted, 50).num_envs == 50
    assert len(calls) == 1


def test_says_what_it_chose(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="chiron"):
        make_vec(StumpTracks, 2)
        make_vec([StumpTracks, HexagonTracks])
    assert caplog.messages == [
        "2 envs are stepped together by WalkerVectorEnv",
        "slots 0 and 1 differ, so they cannot be stepped together",
        "2 envs are stepped one after another in this process",
    ]


@pytest.mark.parametrize(
    ("env_fns", "n", "message"),
    [
        (StumpTracks, None, "needs n, the number of slots"),
        ([StumpTracks], 2, "n=2 must be the number of env_fns, 1"),
        ([], None, "at least one env"),
        (StumpTracks, 0, "at least one env"),
    ],
)
def test_bad_input(env_fns: Any, n: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_vec(env_fns, n)


def test_values_that_cannot_be_compared_are_not_the_same() -> None:
    loop: list[Any] = []
    loop.append(loop)
    other: list[Any] = []
    other.append(other)
    assert not same_value(loop, other)
    assert not same_value(lambda: 1, lambda: 1)
    assert same_value({"a": np.ones(2)}, {"a": np.ones(2)})
    assert not same_value({"a": np.ones(2)}, {"a": np.ones(2, np.float32)})


def test_importing_the_envs_does_not_import_numba() -> None:
    code = "import sys, chiron.envs; print({'numba', 'scipy', 'torch', 'pygame'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"

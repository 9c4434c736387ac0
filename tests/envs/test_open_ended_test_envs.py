from __future__ import annotations

import numpy as np
import pytest
from chiron.envs.walkers.open_ended_test_envs import OpenEndedTestEnvs
from chiron.envs.walkers.open_ended_tracks import TEST_ENVS, OpenEndedTracks


@pytest.mark.parametrize(("index", "name"), list(enumerate(TEST_ENVS)))
def test_the_task_chooses_the_test_env(index: int, name: str) -> None:
    env, named = OpenEndedTestEnvs(), OpenEndedTracks(test_env=name)
    observation, info = env.reset(seed=4, options={"task": [index]})
    np.testing.assert_array_equal(observation, named.reset(seed=4)[0])
    assert info["task"].tolist() == [index]
    action = np.array([0.5, -0.5, 0.1, 0.2], np.float32)
    for _ in range(20):
        step, other = env.step(action), named.step(action)
        np.testing.assert_array_equal(step[0], other[0])
        assert step[1:4] == other[1:4]


def test_an_episode_does_not_depend_on_the_one_before() -> None:
    used, fresh = OpenEndedTestEnvs(), OpenEndedTestEnvs()
    used.reset(seed=0, options={"task": [1]})
    for env in (used, fresh):
        env.reset(seed=1, options={"task": [4]})
    np.testing.assert_array_equal(
        used.get_wrapper_attr("track").ground, fresh.get_wrapper_attr("track").ground
    )

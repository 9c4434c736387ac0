from __future__ import annotations

import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.vector.action_repeat import ActionRepeat


def test_a_step_is_as_many_steps_of_the_env() -> None:
    slow, fast = ActionRepeat(StumpTracks(), 3), StumpTracks()
    slow.reset(seed=0)
    fast.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-0.3, 0.3, 4).astype(np.float32)
        observation, reward, *ends, _ = slow.step(action)
        steps = [fast.step(action) for _ in range(3)]
        np.testing.assert_array_equal(observation, steps[-1][0])
        assert reward == pytest.approx(sum(step[1] for step in steps))
        assert ends == list(steps[-1][2:4])


def test_a_step_ends_with_the_episode_and_the_time_limit_counts_the_envs_steps() -> None:
    class Brief(StumpTracks):
        time_limit = 10

    env = ActionRepeat(Brief(), 4)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, dtype=np.float32)) for _ in range(3)]
    assert [truncated for *_, truncated, _ in ends] == [False, False, True]
    assert "is_success" in ends[-1][4]


def test_an_action_has_to_be_played() -> None:
    with pytest.raises(ValueError, match="action_repeat=0 must be at least 1"):
        ActionRepeat(StumpTracks(), 0)

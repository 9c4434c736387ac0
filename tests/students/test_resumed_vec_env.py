"""Saving and resuming a curriculum and its envs in the middle of all episodes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.env_info import env_info
from chiron.envs.gymnasium_env import GymnasiumEnv
from chiron.students import CurriculumVecEnv
from chiron.teachers import ALPGMM, Curriculum
from numpy.typing import NDArray

from tests.countdown_env import CountdownEnv

pytestmark = pytest.mark.medium

SLOTS = 5


PUSH = {"push": {"attribute": "unwrapped.force_mag", "value": [5, 15]}}
# None of these is defined here: worker processes would import this file, and so torch.
ENVS: dict[str, Any] = {
    "countdown": CountdownEnv,
    "CartPole": partial(GymnasiumEnv, "CartPole-v1", PUSH, (0.0, 500.0), 475.0),
    "walkers stepped together": StumpTracks,
    "walkers one by one": partial(StumpTracks, engine="box2d"),
}


def build(make_env: Any, n_workers: int = 0) -> CurriculumVecEnv:
    info = env_info(make_env())
    curriculum = Curriculum(ALPGMM(info.task_space, seed=0), info, seed=1)
    return CurriculumVecEnv([make_env] * SLOTS, curriculum, n_workers)


def play(vec_env: CurriculumVecEnv, actions: NDArray[Any]) -> list[NDArray[Any]]:
    """Observations, rewards and dones of some steps."""
    seen = []
    for action in actions:
        observations, rewards, dones, _ = vec_env.step(action)
        assert isinstance(observations, np.ndarray)
        seen += [observations.copy(), rewards.copy(), dones.copy()]
    return seen


def random_actions(vec_env: CurriculumVecEnv, steps: int) -> NDArray[Any]:
    vec_env.action_space.seed(3)
    return np.array([[vec_env.action_space.sample() for _ in range(SLOTS)] for _ in range(steps)])


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize(
    "make_env",
    [
        pytest.param(make_env, marks=[pytest.mark.slow] if name == "walkers one by one" else [], id=name)
        for name, make_env in ENVS.items()
    ],
)
def test_resumes_in_the_middle_of_all_episodes(make_env: Any, n_workers: int) -> None:
    vec_env = build(make_env, n_workers)
    actions = random_actions(vec_env, 150)
    vec_env.reset()
    play(vec_env, actions[:97])
    curriculum, envs = vec_env.curriculum.state_dict(), vec_env.state_dict()
    expected = play(vec_env, actions[97:])
    vec_env.close()

    again = build(make_env, n_workers)
    again.curriculum.load_state_dict(curriculum)
    again.load_state_dict(envs)
    found = play(again, actions[97:])
    assert again.steps == vec_env.steps
    again.close()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.curriculum.episodes == vec_env.curriculum.episodes


def test_only_the_episodes_in_progress_are_stored() -> None:
    vec_env = build(CountdownEnv)
    vec_env.reset()
    play(vec_env, np.zeros((500, SLOTS, 1)))
    assert len(vec_env.state_dict()["envs"]["actions"]) <= 60  # the longest episode has 30 steps


class Restless(CountdownEnv):
    """Has a different observation at every reset."""

    count = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        _, info = super().reset(seed=seed, options=options)
        Restless.count += 1
        self._observation[2] = Restless.count
        return self._observation, info


def test_envs_that_cannot_be_replayed_are_refused() -> None:
    vec_env = build(Restless)
    vec_env.reset()
    play(vec_env, np.zeros((10, SLOTS, 1)))
    curriculum, envs = vec_env.curriculum.state_dict(), vec_env.state_dict()
    again = build(Restless)
    again.curriculum.load_state_dict(curriculum)
    with pytest.raises(ValueError, match="must depend on its task, its seed and the actions alone"):
        again.load_state_dict(envs)

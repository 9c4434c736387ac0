"""Do the checks of an env detect broken envs?"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from chiron.envs import env_checks, long_episodes
from chiron.envs.env_checks import BrokenContractError, check_env
from chiron.envs.task_space import TaskParameter, TaskSpace
from gymnasium import spaces

from tests.countdown_env import CountdownEnv, Observation


class _Remembers(CountdownEnv):
    """Observes the previous task."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        observation[2] = self.resets[-2:][0][0][0]
        return observation, info


class _TakesAnything(CountdownEnv):
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        try:
            return super().reset(seed=seed, options=options)
        except ValueError:
            return super().reset(seed=seed)


class _KeepsTheTaskToItself(CountdownEnv):
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        return super().reset(seed=seed, options=options)[0], {}


class _NeverSaysHowItWent(CountdownEnv):
    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        return *super().step(action)[:4], {}


class _LeavesItsObservationSpace(CountdownEnv):
    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation[:2], reward, terminated, truncated, info


class _HasNoRange(CountdownEnv):
    return_range = (0.0, 0.0)


class _CannotBeMastered(CountdownEnv):
    mastered_return = 200.0


class _Fails(CountdownEnv):
    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        raise KeyError("no such move")


class _NeverEnds(CountdownEnv):
    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self._left = 100
        return super().step(action)


class _PlaysOnALake(CountdownEnv):
    """Has integer tasks, and actions that must be keys of a dict."""

    moves: ClassVar = {0: -1, 1: 1}

    def __init__(self) -> None:
        super().__init__()
        self.task_space = TaskSpace(
            [TaskParameter("duration", 2, 30, default=5, integer=True), TaskParameter("worth", -1, 1)]
        )
        self.action_space: Any = spaces.Discrete(2)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        return super().step(np.array([self.moves[action]]))


@pytest.mark.parametrize("env", [CountdownEnv, _PlaysOnALake])
def test_a_sound_env_passes(env: type[CountdownEnv]) -> None:
    check_env(env)


@pytest.mark.filterwarnings("ignore:.*is not within the observation space")
def test_what_gymnasium_merely_warns_of_is_a_warning() -> None:
    class Unlikely(CountdownEnv):
        def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
            observation, reward, terminated, truncated, info = super().step(action)
            return observation.astype(np.float64), reward, terminated, truncated, info

    with pytest.warns(UserWarning, match="dtype to be float32, actual type: float64"):
        check_env(Unlikely)


@pytest.mark.parametrize(
    ("env", "objection"),
    [
        (_Remembers, "depends on what was played before"),
        (_TakesAnything, "not in the task space, yet reset takes it"),
        (_KeepsTheTaskToItself, "the info of reset must have the task"),
        (_NeverSaysHowItWent, "is_success must be in the info of the last step"),
        (_LeavesItsObservationSpace, "an observation has another shape than Box"),
        (_HasNoRange, "return_range"),
        (_CannotBeMastered, "mastered_return=200.0 must lie in"),
        (_Fails, r"KeyError: 'no such move' \(.*test_env_checks.py, line \d+\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is not within the observation space")
def test_what_is_broken_is_found(env: type[CountdownEnv], objection: str) -> None:
    with pytest.raises(BrokenContractError, match=objection) as broken:
        check_env(env)
    assert "\n" not in str(broken.value)


def test_an_episode_that_does_not_end_is_spoken_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env_checks, "_MOST_STEPS", 50)
    monkeypatch.setattr(long_episodes, "_LONG", 20)
    with pytest.raises(BrokenContractError, match=r"does not end within 50 steps: .*max_episode_steps"):
        env_checks.says_whether_it_was_mastered(_NeverEnds)
    assert len(caplog.messages) == 2
    assert "(duration=5.0, worth=0.5) with seed 0 has not ended after 20 steps" in caplog.messages[0]
    assert "after 40 steps" in caplog.messages[1]

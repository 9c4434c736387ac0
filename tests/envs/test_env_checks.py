"""Do the checks of an env find what is broken?"""

from __future__ import annotations

from typing import Any

import pytest
from chiron.envs.env_checks import BrokenContractError, check_env

from tests.conftest import CountdownEnv, Observation


class _Remembers(CountdownEnv):
    """Observes the task before this one."""

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


def test_a_sound_env_passes() -> None:
    check_env(CountdownEnv)


@pytest.mark.parametrize(
    ("env", "objection"),
    [
        (_Remembers, "depends on what was played before"),
        (_TakesAnything, "not in the task space, yet reset takes it"),
        (_KeepsTheTaskToItself, "the info of reset must have the task"),
        (_NeverSaysHowItWent, "is_success must be in the info of the last step"),
        (_LeavesItsObservationSpace, "Gymnasium's checker objects"),
        (_HasNoRange, "return_range"),
        (_CannotBeMastered, "mastered_return=200.0 must lie in"),
    ],
)
def test_what_is_broken_is_found(env: type[CountdownEnv], objection: str) -> None:
    with pytest.raises(BrokenContractError, match=objection):
        check_env(env)

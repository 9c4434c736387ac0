"""Several envs stepped one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import concatenate, iterate
from numpy.typing import NDArray

from .env_error import ErrorsNamed
from .infos import InfosAsTheyAre

EnvFn = Callable[[], gym.Env[Any, Any]]


class SyncTaskVectorEnv(InfosAsTheyAre, SyncVectorEnv):
    """Gymnasium's loop over environments, with a reset that gives each slot its own task.

    Slots are never reset automatically: the caller resets those whose episode ended. Until then such a slot
    rests: it is not stepped, keeps its observation and flags, and gets a reward of 0. Infos are arrays of
    objects, with the unchanged values of the envs.

    Args:
        env_fns: One function per slot, each making a new environment.
    """

    def __init__(self, env_fns: Sequence[EnvFn]) -> None:
        slots = [_in_slot(make_env, slot) for slot, make_env in enumerate(env_fns)]
        super().__init__(slots, autoreset_mode=AutoresetMode.DISABLED)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Reset some slots, each into its own task.

        Args:
            seed: None, an int for slot 0 (slot i gets seed + i), or a list of one per slot.
            options: `task`: float32 of shape (n, d), one row per slot. `reset_mask`: bool of shape (n,),
                which slots to reset; all of them if absent.

        Returns:
            The observations of all slots and the infos of those that were reset.
        """
        # Gymnasium's loop removes the mask from the dict that it is given.
        return super().reset(seed=seed, options=dict(options or {}))

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step every slot that is not resting."""
        infos: dict[str, Any] = {}
        resting = (self._terminations | self._truncations).tolist()
        self._rewards[resting] = 0.0
        for slot, action in enumerate(iterate(self.action_space, actions)):
            if resting[slot]:
                continue
            (
                self._env_obs[slot],
                self._rewards[slot],
                self._terminations[slot],
                self._truncations[slot],
                info,
            ) = self.envs[slot].step(action)
            if info:
                infos = self._add_info(infos, info, slot)
        observations = concatenate(self.single_observation_space, self._env_obs, self._observations)
        return (
            deepcopy(observations),
            self._rewards.copy(),
            self._terminations.copy(),
            self._truncations.copy(),
            infos,
        )


class _TaskOfSlot(ErrorsNamed):
    """Picks its slot's row from the tasks of a vector reset."""

    def __init__(self, env: gym.Env[Any, Any], slot: int) -> None:
        super().__init__(env)
        self._slot = slot

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if options and "task" in options:
            options = options | {"task": options["task"][self._slot]}
        return super().reset(seed=seed, options=options)


def _in_slot(make_env: EnvFn, slot: int) -> EnvFn:
    return lambda: _TaskOfSlot(make_env(), slot)

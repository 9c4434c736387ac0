"""The adapter between a curriculum and Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ..envs.vector.infos import infos_by_slot
from ..envs.vector.sync_vector_env import EnvFn
from ..teachers.curriculum import Curriculum
from .curriculum_slots import CurriculumSlots, at_slot


class CurriculumVecEnv(VecEnv):
    """A `VecEnv` that plays every episode on the task that a curriculum chooses for it.

    When the episode of a slot ends, its result is reported to the curriculum first, then the next task is
    requested and the slot is reset to start it, all within the same `step_wait`. For Stable-Baselines3 this
    is an ordinary `VecEnv`: infos are those of the envs, plus `terminal_observation`, `TimeLimit.truncated`,
    and return and length in `episode` as with `VecMonitor`. Apply `VecNormalize` outside, so that teachers
    see raw returns.

    Args:
        envs: One function per slot that makes its env, or a `gymnasium.vector.VectorEnv` with autoreset
            disabled whose `reset` takes `options={"reset_mask": (n,), "task": (n, d)}`.
        curriculum: Chooses the tasks.
        n_workers: Number of processes that step the envs, if they are given as functions; 0 for this one.

    Raises:
        ValueError: If there are no envs, the vector env resets its slots itself, students do not support its
            spaces, or the envs have another task space than the curriculum.

    Attributes:
        envs: The vector env.
        curriculum: As given.
    """

    def __init__(
        self, envs: Sequence[EnvFn] | VectorEnv[Any, Any, Any], curriculum: Curriculum, n_workers: int = 0
    ) -> None:
        self._slots = CurriculumSlots(envs, curriculum, n_workers, type(self).__name__)
        self.envs = self._slots.envs
        self.curriculum = curriculum
        super().__init__(
            self.envs.num_envs, self.envs.single_observation_space, self.envs.single_action_space
        )
        self._start_time = time.time()

    @property
    def steps(self) -> int:
        """Env steps made by all slots together."""
        return self._slots.steps

    def reset(self) -> VecEnvObs:
        """Start a new episode in every slot; unfinished episodes are dropped."""
        return self._reset_slots(range(self.num_envs), np.ones(self.num_envs, dtype=np.bool_))

    def _reset_slots(self, slots: Sequence[int], mask: NDArray[np.bool_]) -> VecEnvObs:
        self._slots.choose(slots)
        observations: VecEnvObs
        observations, env_infos = self._slots.begin(mask, slots)
        infos = infos_by_slot(env_infos, self.num_envs)
        for slot in slots:
            self.reset_infos[slot] = infos[slot] | {"task": self._slots.tasks[slot].copy()}
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        self._slots.check_actions(actions)
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, terminated, truncated, env_infos = self._slots.step(self._actions)
        infos = infos_by_slot(env_infos, self.num_envs)
        dones = terminated | truncated
        slots = dones.nonzero()[0].tolist()
        if slots:
            for slot in slots:
                infos[slot] |= self._finish_episode(slot, infos[slot].get("is_success"))
                infos[slot]["TimeLimit.truncated"] = bool(truncated[slot] and not terminated[slot])
                infos[slot]["terminal_observation"] = at_slot(observations, slot)
            observations = self._reset_slots(slots, dones)
        return observations, rewards.astype(np.float32), dones, infos

    def _finish_episode(self, slot: int, reported: Any) -> dict[str, Any]:
        success = None if reported is None else bool(reported)
        episode = self._slots.finish(slot, success)
        elapsed = time.time() - self._start_time
        info: dict[str, Any] = {
            "task": episode.task,
            "episode": {"r": episode.episode_return, "l": episode.length, "t": elapsed},
        }
        if success is not None:
            info["is_success"] = success
        return info

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume in the middle of all episodes, except for the curriculum's own state.

        The state of the envs is that of the vector env's `state_dict`, if it has one. Otherwise it is the
        actions of the current episodes, which are replayed when the state is loaded.
        """
        return self._slots.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict`, after the curriculum has loaded its own.

        Raises:
            ValueError: If replaying the actions does not lead to the stored observations.
        """
        self.reset_infos = [{"task": task} for task in state["tasks"].copy()]
        self._slots.load_state_dict(state)

    def close(self) -> None:
        self.envs.close()

    def has_attr(self, attr_name: str) -> bool:
        """Whether every env has an attribute or a method; unlike `get_attr`, this does not call methods."""
        if hasattr(self.envs, "call"):
            return all(self.envs.call("has_wrapper_attr", attr_name))
        return hasattr(self.envs, attr_name)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        if hasattr(self.envs, "get_attr"):
            values = list(self.envs.get_attr(attr_name))
        else:
            values = [getattr(self.envs, attr_name)] * self.num_envs
        return [values[slot] for slot in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        slots = list(self._get_indices(indices))
        if len(slots) == self.num_envs:
            values = [value] * self.num_envs
        else:
            values = self.get_attr(attr_name)
            for slot in slots:
                values[slot] = value
        self._per_slot("set_attr")(attr_name, values)

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of every env, and return the results of the given slots."""
        results = self._per_slot("call")(method_name, *args, **kwargs)
        return [results[slot] for slot in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        envs = getattr(self.envs, "envs", [])
        wrapped = [is_wrapped(env, wrapper_class) for env in envs] or [False] * self.num_envs
        return [wrapped[slot] for slot in self._get_indices(indices)]

    def _per_slot(self, method: str) -> Callable[..., Any]:
        if not hasattr(self.envs, method):
            raise NotImplementedError(
                f"{type(self.envs).__name__} steps all its envs together and has no {method}()"
            )
        found: Callable[..., Any] = getattr(self.envs, method)
        return found

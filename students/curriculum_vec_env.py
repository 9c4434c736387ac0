"""The adapter between a curriculum and Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ..envs.env_info import env_info
from ..envs.finite import require_finite
from ..envs.long_episodes import LongEpisodes
from ..envs.trainable_spaces import require_trainable
from ..envs.vector.infos import infos_by_slot
from ..envs.vector.make_vec import make_vec
from ..envs.vector.sync_vector_env import EnvFn
from ..teachers.curriculum import Curriculum
from .action_history import ActionHistory


class CurriculumVecEnv(VecEnv):
    """A `VecEnv` that plays every episode on the task that a curriculum chooses for it.

    When the episode of a slot ends, its result is reported to the curriculum first, then the next task is
    requested and the slot is reset into it, all within the same `step_wait`. For Stable-Baselines3 this is
    an ordinary `VecEnv`: infos are those of the envs, and contain `terminal_observation` and
    `TimeLimit.truncated`, and in `episode` return and length as with `VecMonitor`. Put `VecNormalize`
    outside, so that teachers see raw returns.

    Args:
        envs: One function per slot that makes its env, or a `gymnasium.vector.VectorEnv` with autoreset
            disabled whose `reset` takes `options={"reset_mask": (n,), "task": (n, d)}`.
        curriculum: Chooses the tasks.
        n_workers: Number of processes that step the envs, if they are given as functions; 0 for this one.

    Raises:
        ValueError: If there are no envs, the vector env resets its slots itself, its spaces are none that
            students take, or the envs have another task space than the curriculum.

    Attributes:
        envs: The vector env.
        curriculum: As given.
        steps: Env steps made by all slots together.
    """

    def __init__(
        self, envs: Sequence[EnvFn] | VectorEnv[Any, Any, Any], curriculum: Curriculum, n_workers: int = 0
    ) -> None:
        if not isinstance(envs, VectorEnv):
            if not envs:
                raise ValueError("CurriculumVecEnv needs at least one env, got none")
            envs = make_vec(envs, n_workers=n_workers)
        if envs.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError(
                "CurriculumVecEnv decides when slots are reset: make the VectorEnv with "
                "autoreset_mode=AutoresetMode.DISABLED"
            )
        require_trainable(envs.single_observation_space, envs.single_action_space)
        self.envs = envs
        self.curriculum = curriculum
        self.steps = 0
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        columns = env_info(envs).task_space.columns
        if columns != curriculum.space.columns:
            raise ValueError(
                f"task_space={columns} of the envs must be the curriculum's {curriculum.space.columns}"
            )
        self._tasks = np.tile(curriculum.space.default, (self.num_envs, 1))
        self._returns = np.zeros(self.num_envs)
        self._starts = [0] * self.num_envs
        """Value of `steps` when the episode of each slot began."""
        self._start_time = time.time()
        self._long = LongEpisodes(envs)
        self._history = None if hasattr(envs, "state_dict") else ActionHistory()

    def reset(self) -> VecEnvObs:
        """Start a new episode in every slot; unfinished episodes are dropped."""
        return self._reset_slots(range(self.num_envs), np.ones(self.num_envs, dtype=np.bool_))

    def _reset_slots(self, slots: Sequence[int], mask: NDArray[np.bool_]) -> VecEnvObs:
        seeds: list[int | None] = [None] * self.num_envs
        for slot in slots:
            episode = self.curriculum.next_task(slot)
            self._tasks[slot] = episode.task
            seeds[slot] = episode.seed
            self._returns[slot] = 0.0
            self._starts[slot] = self.steps
        observations: VecEnvObs
        observations, env_infos = self.envs.reset(
            seed=seeds,  # type: ignore[arg-type]  # one per slot, as Gymnasium's own vector envs take them
            options={"reset_mask": mask, "task": self._tasks},
        )
        infos = infos_by_slot(env_infos, self.num_envs)
        for slot in slots:
            self.reset_infos[slot] = infos[slot] | {"task": self._tasks[slot].copy()}
        self._check_finite("observation", observations)
        self._observations = observations
        if self._history is not None:
            self._history.keep_last(self._length_since(min(self._starts)))
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        if actions.dtype.kind == "f":
            self._check_finite("action", actions)
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, terminated, truncated, env_infos = self.envs.step(self._actions)
        if self._history is not None:
            self._history.add(self._actions)
        self.steps += self.num_envs
        self._check_finite("observation", observations)
        self._check_finite("reward", rewards)
        self._returns += rewards
        self._watch_the_longest()

        infos = infos_by_slot(env_infos, self.num_envs)
        dones = terminated | truncated
        slots = dones.nonzero()[0].tolist()
        if slots:
            for slot in slots:
                infos[slot] |= self._finish_episode(slot, infos[slot].get("is_success"))
                infos[slot]["TimeLimit.truncated"] = bool(truncated[slot] and not terminated[slot])
                infos[slot]["terminal_observation"] = _at(observations, slot)
            observations = self._reset_slots(slots, dones)
        self._observations = observations
        return observations, rewards.astype(np.float32), dones, infos

    def _finish_episode(self, slot: int, reported: Any) -> dict[str, Any]:
        success = None if reported is None else bool(reported)
        episode = self.curriculum.finish(
            slot,
            episode_return=float(self._returns[slot]),
            length=self._length_since(self._starts[slot]),
            step=self.steps,
            success=success,
        )
        elapsed = time.time() - self._start_time
        info: dict[str, Any] = {
            "task": episode.task,
            "episode": {"r": episode.episode_return, "l": episode.length, "t": elapsed},
        }
        if success is not None:
            info["is_success"] = success
        return info

    def _watch_the_longest(self) -> None:
        start = min(self._starts)
        episode = self.curriculum.playing(self._starts.index(start))
        self._long.watch(self._length_since(start), episode.task, episode.seed)

    def _length_since(self, start: int) -> int:
        """Length of an episode that began when `steps` was `start`."""
        return (self.steps - start) // self.num_envs

    def _check_finite(self, what: str, values: Any) -> None:
        require_finite(what, values, self._episode_of)

    def _episode_of(self, slot: int) -> str:
        episode = self.curriculum.playing(slot)
        task = self.curriculum.space.shown(episode.task)
        return f"at step {self.steps} of training, in task ({task}) with seed {episode.seed}"

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume in the middle of all episodes, except for the curriculum's own state.

        The state of the envs is that of the vector env's `state_dict`, if it has one. Otherwise it is the
        actions of the current episodes, which are replayed when the state is loaded.
        """
        return {
            "steps": self.steps,
            "tasks": self._tasks.copy(),
            "returns": self._returns.copy(),
            "lengths": np.array([self._length_since(start) for start in self._starts]),
            "observations": _copy(self._observations),
            "envs": self._stateful().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned, after the curriculum has loaded its own.

        Raises:
            ValueError: If replaying the actions does not lead to the stored observations.
        """
        self.steps = state["steps"]
        self._tasks, self._returns = state["tasks"].copy(), state["returns"].copy()
        self._starts = (self.steps - self.num_envs * state["lengths"]).tolist()
        self._observations = _copy(state["observations"])
        self.reset_infos = [{"task": task} for task in self._tasks]
        self._stateful().load_state_dict(state["envs"])
        if self._history is None:
            return
        seeds = [self.curriculum.playing(slot).seed for slot in range(self.num_envs)]
        reached = self._history.replay(self.envs, self._tasks, seeds, state["lengths"])
        if not _equal(reached, self._observations):
            raise ValueError(
                "replaying the actions of the current episodes did not lead to the stored observations, so "
                "the envs cannot be resumed: an episode must depend on its task, its seed and the actions "
                "alone (chiron-check tests this)"
            )

    def _stateful(self) -> Any:
        """What holds the state of the current episodes: the vector env itself, or the history of actions."""
        return self.envs if self._history is None else self._history

    def close(self) -> None:
        self.envs.close()

    def has_attr(self, attr_name: str) -> bool:
        """Whether every env has an attribute or a method; unlike `get_attr`, this calls no method."""
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


def _copy(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: part.copy() for key, part in observations.items()}
    return observations.copy()


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(np.array_equal(one[key], other[key]) for key in one)
    return np.array_equal(one, other)


def _at(observations: Any, slot: int) -> Any:
    """One slot's observation out of a batch."""
    if isinstance(observations, dict):
        return {key: part[slot].copy() for key, part in observations.items()}
    return observations[slot].copy()

"""Connects the slots of a vector env to a curriculum: tasks to the slots, results to the curriculum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ..envs.env_info import env_info
from ..envs.finite import require_finite
from ..envs.long_episodes import LongEpisodes
from ..envs.trainable_spaces import require_trainable
from ..envs.vector.make_vec import make_vec
from ..envs.vector.sync_vector_env import EnvFn
from ..teachers.curriculum import Curriculum
from ..teachers.episode import Episode
from .action_history import ActionHistory


class CurriculumSlots:
    """Shared code of the adapters to Stable-Baselines3 and to `gymnasium.vector`.

    An adapter calls `choose` and `begin` to start episodes, `step`, and `finish` for each slot whose episode
    has ended. It decides when slots are reset, and what the learner sees.

    Args:
        envs: One function per slot that makes its env, or a `gymnasium.vector.VectorEnv` with autoreset
            disabled whose `reset` takes `options={"reset_mask": (n,), "task": (n, d)}`.
        curriculum: Chooses the tasks.
        n_workers: Number of processes that step the envs, if they are given as functions; 0 for this one.
        adapter: Name of the adapter, for messages.

    Raises:
        ValueError: If there are no envs, the vector env resets its slots itself, students do not support its
            spaces, or the envs have no tasks or another task space than the curriculum.

    Attributes:
        envs: The vector env.
        curriculum: As given.
        n: Number of slots.
        steps: Env steps made by all slots together.
        tasks: Task of each slot's current episode, or of its next one if the last one has ended, float32
            of shape (n, d).
        over: Slots whose episode has ended and whose next one has not begun, bool of shape (n,).
        n_over: Number of these slots.
        observations: The latest observations of all slots.
    """

    def __init__(
        self,
        envs: Sequence[EnvFn] | VectorEnv[Any, Any, Any],
        curriculum: Curriculum,
        n_workers: int,
        adapter: str,
    ) -> None:
        if not isinstance(envs, VectorEnv):
            if not envs:
                raise ValueError(f"{adapter} needs at least one env, got none")
            envs = make_vec(envs, n_workers=n_workers)
        if envs.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError(
                f"{adapter} decides when slots are reset: make the VectorEnv with "
                "autoreset_mode=AutoresetMode.DISABLED"
            )
        require_trainable(envs.single_observation_space, envs.single_action_space)
        columns = env_info(envs).task_space.columns
        if columns != curriculum.space.columns:
            raise ValueError(
                f"task_space={columns} of the envs must be the curriculum's {curriculum.space.columns}"
            )
        self.envs = envs
        self.curriculum = curriculum
        self.n = envs.num_envs
        self.steps = 0
        self.tasks = np.tile(curriculum.space.default, (self.n, 1))
        self.over = np.zeros(self.n, dtype=np.bool_)
        self.n_over = 0
        self.observations: Any = None
        self._seeds = [0] * self.n
        self._returns = np.zeros(self.n)
        self._ticks = 0
        """Steps of the vector env."""
        self._starts = [0] * self.n
        """Value of `_ticks` when the episode of each slot began."""
        self._long = LongEpisodes(envs)
        self._watched_until = 0
        """Value of `_ticks` before which no episode can be a long one."""
        self._history = None if hasattr(envs, "state_dict") else ActionHistory()

    def choose(self, slots: Sequence[int]) -> None:
        """Ask the curriculum for the next episode of some slots; unfinished ones are dropped."""
        for slot in slots:
            episode = self.curriculum.next_task(slot)
            self.tasks[slot] = episode.task
            self._seeds[slot] = episode.seed

    def begin(
        self, mask: NDArray[np.bool_], slots: Sequence[int], options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset some slots to start the episodes chosen for them.

        Args:
            mask: The slots to reset, shape (n,).
            slots: Their indices.
            options: Additional options of the envs' reset.

        Returns:
            The observations of all slots, and the infos of the reset.
        """
        for slot in slots:
            self._returns[slot] = 0.0
            self._starts[slot] = self._ticks
        self.observations, infos = self.envs.reset(
            seed=[*self._seeds],  # type: ignore[arg-type]  # one per slot, as Gymnasium's own take them
            options={**(options or {}), "reset_mask": mask, "task": self.tasks},
        )
        if self.n_over:
            self.rest(self.over & ~mask)
        self._check_finite("observation", self.observations)
        if self._history is not None:
            self._history.keep_last(self._ticks - min(self._starts))
        return self.observations, infos

    def rest(self, over: NDArray[np.bool_]) -> None:
        """Set the slots that rest until they begin, bool of shape (n,)."""
        self.over, self.n_over = over, int(np.count_nonzero(over))

    def check_actions(self, actions: Any) -> None:
        """Check that actions are finite.

        Raises:
            NotFiniteError: If one is not.
        """
        if np.asarray(actions).dtype.kind == "f":
            self._check_finite("action", actions)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step the envs; slots whose episode has ended rest.

        Raises:
            NotFiniteError: If an observation or a reward is not finite.
        """
        result = self.envs.step(actions)
        if self._history is not None:
            self._history.add(actions)
        self._ticks += 1
        self.steps += self.n - self.n_over
        self._check_finite("observation", result[0])
        self._check_finite("reward", result[1])
        self.observations = result[0]
        self._returns += result[1]
        if self._ticks >= self._watched_until:
            self._watch_the_longest()
        return result

    def finish(self, slot: int, success: bool | None) -> Episode:
        """Report the end of a slot's episode to the curriculum."""
        return self.curriculum.finish(
            slot,
            episode_return=float(self._returns[slot]),
            length=self._ticks - self._starts[slot],
            step=self.steps,
            success=success,
        )

    def _watch_the_longest(self) -> None:
        start = min(self._starts)
        episode = self.curriculum.playing(self._starts.index(start))
        self._long.watch(self._ticks - start, episode.task, episode.seed)
        self._watched_until = start + self._long.next

    def _check_finite(self, what: str, values: Any) -> None:
        require_finite(what, values, self._episode_of)

    def _episode_of(self, slot: int) -> str:
        episode = self.curriculum.playing(slot)
        task = self.curriculum.space.shown(episode.task)
        return f"at step {self.steps} of training, in task ({task}) with seed {episode.seed}"

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume in the middle of all episodes, except for `over` and the curriculum.

        The state of the envs is that of the vector env's `state_dict`, if it has one. Otherwise it is the
        actions of the current episodes, which are replayed when the state is loaded.
        """
        lengths = np.array([self._ticks - start for start in self._starts])
        return {
            "steps": self.steps,
            "tasks": self.tasks.copy(),
            "returns": self._returns.copy(),
            "lengths": np.where(self.over, 0, lengths),
            "observations": _copy(self.observations),
            "envs": self._stateful().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict`, after `over` and the curriculum have been restored.

        Raises:
            ValueError: If replaying the actions does not lead to the stored observations.
        """
        self.steps = state["steps"]
        self.tasks, self._returns = state["tasks"].copy(), state["returns"].copy()
        self._starts = (self._ticks - state["lengths"]).tolist()
        self._watched_until = 0
        self.observations = _copy(state["observations"])
        self._seeds = [self.curriculum.playing(slot).seed for slot in range(self.n)]
        self._stateful().load_state_dict(state["envs"])
        if self._history is None:
            return
        reached = self._history.replay(self.envs, self.tasks, self._seeds, state["lengths"])
        if not _equal(reached, self.observations, ~self.over):
            raise ValueError(
                "replaying the actions of the current episodes did not lead to the stored observations, so "
                "the envs cannot be resumed: an episode must depend on its task, its seed and the actions "
                "alone (chiron-check tests this)"
            )

    def _stateful(self) -> Any:
        """The holder of the state of the current episodes: the vector env, or the history of actions."""
        return self.envs if self._history is None else self._history


def _copy(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: part.copy() for key, part in observations.items()}
    return observations.copy()


def _equal(one: Any, other: Any, slots: NDArray[np.bool_]) -> bool:
    if isinstance(one, dict):
        return all(_equal(one[key], other[key], slots) for key in one)
    return np.array_equal(one[slots], other[slots])


def at_slot(observations: Any, slot: int) -> Any:
    """One slot's observation out of a batch."""
    if isinstance(observations, dict):
        return {key: part[slot].copy() for key, part in observations.items()}
    return observations[slot].copy()

"""The adapter between a curriculum and learners that step a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from ..envs.vector.infos import merged_infos, split_infos
from ..envs.vector.reset_arguments import slot_mask
from ..envs.vector.sync_vector_env import EnvFn
from ..teachers.curriculum import Curriculum
from .curriculum_slots import CurriculumSlots, at_slot

_MODES = tuple(mode.value for mode in AutoresetMode)


class CurriculumVectorEnv(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """A `gymnasium.vector.VectorEnv` that plays every episode on the task that a curriculum chooses for it.

    In the step in which the episode of a slot ends, its result is reported to the curriculum first, then the
    next task is requested, whatever the autoreset mode. The mode decides when the slot is reset to start it,
    as defined by Gymnasium:

    - `SAME_STEP`: in the same step. The observation is the first of the next episode; the last one and its
      infos are in `infos["final_obs"]` and `infos["final_info"]`.
    - `NEXT_STEP`: in the next step, which ignores the slot's action and gives it no reward.
    - `DISABLED`: in `reset(options={"reset_mask": terminated | truncated})`, which the learner calls before
      its next step.

    The infos are those of the envs, plus `task`, float32 of shape (n, d): the task of the episode that each
    slot's observation belongs to. Apply wrappers that change rewards outside, so that teachers see raw
    returns.

    Args:
        envs: One function per slot that makes its env, or a `gymnasium.vector.VectorEnv` with autoreset
            disabled whose `reset` takes `options={"reset_mask": (n,), "task": (n, d)}`, and in which a slot
            whose episode has ended rests until then, as in those of `make_vec`.
        curriculum: Chooses the tasks.
        n_workers: Number of processes that step the envs, if they are given as functions; 0 for this one.
        autoreset_mode: The mode that the learner sees, whatever that of the envs.

    Raises:
        ValueError: If there are no envs, the vector env resets its slots itself, students do not support its
            spaces, the envs have no tasks or another task space than the curriculum, or there is no such
            mode.

    Attributes:
        env: The vector env inside.
        curriculum: As given.
        autoreset_mode: As given; also in `metadata`, where Gymnasium's wrappers look for it.
    """

    def __init__(
        self,
        envs: Sequence[EnvFn] | VectorEnv[Any, Any, Any],
        curriculum: Curriculum,
        n_workers: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            raise ValueError(
                f"autoreset_mode={autoreset_mode!r} must be an AutoresetMode, or one of {', '.join(_MODES)}"
            ) from None
        self._slots = CurriculumSlots(envs, curriculum, n_workers, type(self).__name__)
        super().__init__(self._slots.envs)
        self.curriculum = curriculum
        self.metadata = {**self._slots.envs.metadata, "autoreset_mode": self.autoreset_mode}
        self._has_begun = False
        self._everyone = np.ones(self.num_envs, dtype=np.bool_)
        self._everyone.flags.writeable = False

    @property
    def steps(self) -> int:
        """Env steps made by all slots together; a step that only resets a slot does not count."""
        return self._slots.steps

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes; unfinished ones are dropped.

        Args:
            seed: Not used: the curriculum, which has its own seed, seeds every episode.
            options: `reset_mask`, bool of shape (n,): the slots to reset, all if absent. Other options are
                passed to the envs.

        Returns:
            The observations of all slots, and the infos of those that were reset.

        Raises:
            ValueError: If the mask has the wrong shape or type, or options name a task.
        """
        given = dict(options or {})
        if "task" in given:
            raise ValueError("options['task'] must be left out: the curriculum chooses the tasks")
        mask = slot_mask(given.pop("reset_mask", None), self.num_envs)
        if not self._has_begun and not mask.all():
            raise ResetNeeded("options['reset_mask'] must be left out of the first reset")
        # Slots whose episode has ended already have their next one.
        self._slots.choose((mask & ~self._slots.over).nonzero()[0].tolist())
        self._has_begun = True
        observations, infos = self._slots.begin(mask, mask.nonzero()[0].tolist(), given)
        return observations, self._with_tasks(infos)

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every slot, and report and reset those whose episode ends, depending on the autoreset mode.

        Raises:
            ResetNeeded: If there has been no reset, or autoreset is disabled and a slot needs one.
            NotFiniteError: If an action, observation, reward or return is not finite.
        """
        slots = self._slots
        resting = slots.over if slots.n_over else None
        self._require_episodes(resting)
        slots.check_actions(actions)
        observations, rewards, terminated, truncated, infos = slots.step(actions)
        if resting is not None:
            observations, begun = slots.begin(resting, resting.nonzero()[0].tolist())
            infos = merged_infos(split_infos(infos, resting)[1], begun)
            rewards = np.where(resting, 0.0, rewards)
            terminated, truncated = terminated & ~resting, truncated & ~resting
        over = terminated | truncated
        if np.count_nonzero(over):
            observations, infos = self._end(over, observations, infos)
        else:
            infos = self._with_tasks(infos)
        return observations, rewards, terminated, truncated, infos

    def _end(
        self,
        over: NDArray[np.bool_],
        observations: Any,
        infos: dict[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """Report the results of slots whose episodes are over, choose their next tasks, and reset if due."""
        slots, ended = self._slots, over.nonzero()[0].tolist()
        successes, known = infos.get("is_success", ()), infos.get("_is_success")
        for slot in ended:
            slots.finish(slot, bool(successes[slot]) if known is not None and known[slot] else None)
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            infos = self._with_tasks(infos)
            slots.choose(ended)
            slots.rest(slots.over | over)
            return observations, infos
        final_info, others = split_infos(infos, over)
        final_info |= {"task": slots.tasks.copy(), "_task": over}
        final_obs = np.full(self.num_envs, None, dtype=object)
        for slot in ended:
            final_obs[slot] = at_slot(observations, slot)
        slots.choose(ended)
        observations, begun = slots.begin(over, ended)
        infos = self._with_tasks(merged_infos(others, begun))
        infos |= {"final_obs": final_obs, "_final_obs": over, "final_info": final_info, "_final_info": over}
        return observations, infos

    def _with_tasks(self, infos: Mapping[str, Any]) -> dict[str, Any]:
        """The infos, with the tasks of all slots."""
        return {**infos, "task": self._slots.tasks.copy(), "_task": self._everyone}

    def _require_episodes(self, resting: NDArray[np.bool_] | None) -> None:
        if not self._has_begun:
            raise ResetNeeded("CurriculumVectorEnv must be reset before its first step")
        if resting is not None and self.autoreset_mode == AutoresetMode.DISABLED:
            raise ResetNeeded(
                f"the episodes of slots {resting.nonzero()[0].tolist()} have ended: with autoreset disabled, "
                "call reset(options={'reset_mask': terminated | truncated}) before the next step"
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume in the middle of all episodes, except for the curriculum's state."""
        if not self._has_begun:
            raise ResetNeeded("CurriculumVectorEnv must be reset before it has a state")
        return {**self._slots.state_dict(), "over": self._slots.over.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict`, after the curriculum has loaded its own.

        The next call is `step`, with the actions for `observations`.

        Raises:
            ValueError: If replaying the actions does not lead to the stored observations.
        """
        self._slots.rest(state["over"].copy())
        self._slots.load_state_dict(state)
        self._has_begun = True

    @property
    def observations(self) -> Any:
        """The latest observations: where to continue after `load_state_dict`."""
        return self._slots.observations

"""Records the actions of the current episodes, to restore envs whose state cannot be copied."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ..envs.task_space import Task


class ActionHistory:
    """Stores the actions of every slot since its reset, and replays them.

    An episode depends only on its task, seed and actions, so replaying it restores its state.
    """

    def __init__(self) -> None:
        self._actions: deque[NDArray[Any]] = deque()

    def add(self, actions: NDArray[Any]) -> None:
        """Store the actions of all slots in a step, shape (n, …)."""
        self._actions.append(np.array(actions))

    def keep_last(self, steps: int) -> None:
        """Drop all but the last `steps` steps, the length of the longest current episode."""
        while len(self._actions) > steps:
            self._actions.popleft()

    def state_dict(self) -> dict[str, Any]:
        """The actions, oldest first."""
        return {"actions": np.array(self._actions)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self._actions = deque(state["actions"])

    def replay(
        self,
        envs: VectorEnv[Any, Any, Any],
        tasks: Task,
        seeds: Sequence[int],
        lengths: NDArray[np.int64],
    ) -> Any:
        """Replay the current episode of every slot.

        All slots are stepped together; each is reset when as many steps are left as its episode has.

        Args:
            envs: The envs to restore, without autoreset.
            tasks: Task of each slot, shape (n, d).
            seeds: Seed of each slot's episode.
            lengths: Steps made in each slot's episode, shape (n,).

        Returns:
            The observations of all slots.
        """
        steps = int(lengths.max())
        is_over = np.ones(envs.num_envs, dtype=np.bool_)
        for step in range(steps + 1):
            # Steps of a slot before its reset do not matter, but it must not be stepped after an end.
            starting = is_over | (steps - lengths == step)
            if starting.any():
                observations, _ = envs.reset(
                    seed=list(seeds),  # type: ignore[arg-type]  # one per slot
                    options={"reset_mask": starting, "task": tasks},
                )
            if step < steps:
                actions = self._actions[len(self._actions) - steps + step]
                observations, _, terminated, truncated, _ = envs.step(actions)
                is_over = (terminated | truncated) & (steps - lengths > step + 1)
        return observations

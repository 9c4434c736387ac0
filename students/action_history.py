"""What has been done in the episodes under way, for worlds whose state cannot be copied."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ..envs.task_space import Task


class ActionHistory:
    """Remembers the actions of every slot since its reset, and plays them again.

    An episode depends on its task, its seed and the actions alone, so playing it again leads to where it was.
    """

    def __init__(self) -> None:
        self._actions: deque[NDArray[Any]] = deque()

    def add(self, actions: NDArray[Any]) -> None:
        """Remember what all slots did in a step, shape (n, …)."""
        self._actions.append(np.array(actions))

    def forget_before(self, steps: int) -> None:
        """Keep the last `steps` steps: no episode under way is longer."""
        while len(self._actions) > steps:
            self._actions.popleft()

    def state_dict(self) -> dict[str, Any]:
        """The actions, oldest first."""
        return {"actions": np.array(self._actions)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what `state_dict` returned."""
        self._actions = deque(state["actions"])

    def play_again(
        self,
        worlds: VectorEnv[Any, Any, Any],
        tasks: Task,
        seeds: Sequence[int],
        lengths: NDArray[np.int64],
    ) -> Any:
        """Bring every slot to where it was.

        All slots are stepped together, each being reset when only as many steps are left as its episode has.

        Args:
            worlds: The worlds to bring there, without autoreset.
            tasks: What the slots play, shape (n, d).
            seeds: Of their episodes.
            lengths: Steps they have made in them, shape (n,).

        Returns:
            The observations of all slots.
        """
        steps = int(lengths.max())
        is_over = np.ones(worlds.num_envs, dtype=np.bool_)
        for step in range(steps + 1):
            # What a slot does before its turn is of no matter, but it must not go on after an end.
            starting = is_over | (steps - lengths == step)
            if starting.any():
                observations, _ = worlds.reset(
                    seed=list(seeds),  # type: ignore[arg-type]  # one per slot
                    options={"reset_mask": starting, "task": tasks},
                )
            if step < steps:
                actions = self._actions[len(self._actions) - steps + step]
                observations, _, terminated, truncated, _ = worlds.step(actions)
                is_over = (terminated | truncated) & (steps - lengths > step + 1)
        return observations

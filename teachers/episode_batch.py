"""The episodes since a teacher's last update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace

Floats = NDArray[np.float64]


class EpisodeBatch:
    """Collects proposed tasks and their scores until there are enough for an update.

    Args:
        space: The space of tasks.
        size: Episodes of a full batch.
    """

    def __init__(self, space: TaskSpace, size: int) -> None:
        self._space = space
        self._size = size
        self._tasks: list[Floats] = []
        self._scores: list[float] = []

    def add(self, task: NDArray[np.float32], score: float) -> tuple[Floats, Floats] | None:
        """Add an episode.

        Args:
            task: In task units, shape (d,).
            score: Its score, or whatever the teacher learns from.

        Returns:
            None until the batch is full; then its tasks in [0, 1]^d, shape (size, d), and scores, shape
            (size,), after which the batch is empty again.
        """
        self._tasks.append(self._space.normalize(task))
        self._scores.append(score)
        if len(self._tasks) < self._size:
            return None
        full = np.array(self._tasks), np.array(self._scores, dtype=np.float64)
        self._tasks.clear()
        self._scores.clear()
        return full

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        tasks = np.array(self._tasks).reshape(-1, self._space.dim)
        return {"tasks": tasks, "scores": np.array(self._scores, dtype=np.float64)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self._tasks, self._scores = list(state["tasks"].copy()), state["scores"].tolist()

"""The latest episodes of a curriculum, for curves and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import Task
from .curriculum import Curriculum
from .episode import Episode

RANDOM = "random"
"""`Episode.source` of tasks that a teacher draws from the whole task space."""

_RETURN, _LENGTH, _SUCCESS, _RANDOM, _TASK = range(5)


class RecentEpisodes:
    """Stores the latest episodes of a curriculum, as one of its listeners.

    Args:
        curriculum: The curriculum to listen to.
        most: Number of episodes to store.
        averaged: Number of latest episodes that `means` averages over.
    """

    def __init__(self, curriculum: Curriculum, most: int = 1_000, averaged: int = 100) -> None:
        self._columns = curriculum.space.columns
        self._averaged = averaged
        self._rows = np.full((most, _TASK + curriculum.space.dim), np.nan)
        self._total = 0
        curriculum.listeners.append(self.add)

    def add(self, episode: Episode) -> None:
        """Store an episode in place of the oldest."""
        row = self._rows[self._total % len(self._rows)]
        row[_RETURN] = episode.episode_return
        row[_LENGTH] = episode.length
        row[_SUCCESS] = np.nan if episode.success is None else episode.success
        row[_RANDOM] = episode.source == RANDOM
        row[_TASK:] = episode.task
        self._total += 1

    @property
    def total(self) -> int:
        """Number of episodes that have been added."""
        return self._total

    def tasks(self, since: int = 0) -> tuple[Task, NDArray[np.bool_]]:
        """The tasks of the stored episodes, oldest first.

        Args:
            since: Leave out the first `since` episodes that were added.

        Returns:
            The tasks, shape (n, d), and whether each was drawn from the whole task space, shape (n,).
        """
        rows = self._latest(self._total - since)
        return rows[:, _TASK:].astype(np.float32), rows[:, _RANDOM] > 0

    def means(self) -> dict[str, float]:
        """Means over the latest episodes, by curve name; empty before the first episode."""
        if not self._total:
            return {}
        rows = self._latest(self._averaged)
        mean = rows.mean(axis=0).tolist()
        means = {
            "episodes/return_mean": mean[_RETURN],
            "episodes/length_mean": mean[_LENGTH],
            "curriculum/random_share": mean[_RANDOM],
        }
        if not np.isnan(mean[_SUCCESS]):
            means["episodes/success_percent"] = 100 * mean[_SUCCESS]
        tasks = zip(self._columns, mean[_TASK:], strict=True)
        return means | {f"curriculum/mean_{column}": value for column, value in tasks}

    def _latest(self, n: int) -> NDArray[np.float64]:
        n = max(0, min(n, self._total, len(self._rows)))
        return self._rows[np.arange(self._total - n, self._total) % len(self._rows)]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        return {"rows": self._latest(len(self._rows)), "total": self._total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        rows = np.asarray(state["rows"], np.float64)
        self._total = int(state["total"])
        self._rows[np.arange(self._total - len(rows), self._total) % len(self._rows)] = rows

"""Every task ever played, with exact nearest-neighbour look-up whose cost hardly grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from envs.task_space import Task

_LEAF_ROWS = 512
"""Rows that are searched without a tree, and the size of the smallest tree."""


class TaskHistory:
    """Tasks with the return each one earned.

    Rows fill blocks of 512; two neighbouring blocks of equal size are merged into one, and each block has
    a k-d tree (the logarithmic method of Bentley and Saxe, 1980). So a row is indexed a logarithmic number
    of times, and a look-up asks a logarithmic number of trees.

    Args:
        dim: How many numbers a task holds.
    """

    def __init__(self, dim: int) -> None:
        self._tasks = np.empty((_LEAF_ROWS, dim))
        self._returns = np.empty(_LEAF_ROWS)
        self._size = 0
        self._trees: list[cKDTree] = []
        self._tree_starts: list[int] = []

    def __len__(self) -> int:
        return self._size

    @property
    def tasks(self) -> NDArray[np.float64]:
        """All tasks, shape (n, d), oldest first."""
        return self._tasks[: self._size]

    @property
    def returns(self) -> NDArray[np.float64]:
        """Their returns, shape (n,)."""
        return self._returns[: self._size]

    def append(self, task: Task, episode_return: float) -> None:
        """Add one task, shape (d,), and its return."""
        if self._size == len(self._tasks):
            self._tasks = np.concatenate([self._tasks, np.empty_like(self._tasks)])
            self._returns = np.concatenate([self._returns, np.empty_like(self._returns)])
        self._tasks[self._size] = task
        self._returns[self._size] = episode_return
        self._size += 1
        if self._size % _LEAF_ROWS == 0:
            self._index_block(self._size - _LEAF_ROWS)

    def extend(self, tasks: NDArray[np.float64], returns: NDArray[np.float64]) -> None:
        """Add many tasks, shape (n, d), and their returns, shape (n,)."""
        for task, episode_return in zip(tasks, returns, strict=True):
            self.append(task, episode_return)

    def _index_block(self, start: int) -> None:
        size = self._size - start
        while self._tree_starts and self._trees[-1].n == size:
            self._trees.pop()
            start = self._tree_starts.pop()
            size = self._size - start
        self._trees.append(cKDTree(self._tasks[start : self._size].copy()))
        self._tree_starts.append(start)

    def nearest_return(self, task: Task) -> float:
        """Return of the task nearest to `task`, shape (d,), by Euclidean distance in raw task units.

        Raises:
            ValueError: If the history is empty.
        """
        if not self._size:
            raise ValueError("an empty history has no nearest task")
        best_distance, best_row = np.inf, 0
        for tree, start in zip(self._trees, self._tree_starts, strict=True):
            distance, row = tree.query(task)
            if float(distance) < best_distance:
                best_distance, best_row = float(distance), start + int(row)
        start = self._size - self._size % _LEAF_ROWS
        if start < self._size:
            distances = np.linalg.norm(self._tasks[start : self._size] - task, axis=1)
            closest = int(np.argmin(distances))
            if distances[closest] < best_distance:
                best_row = start + closest
        return float(self._returns[best_row])

"""All tasks played so far, with exact nearest-neighbour look-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..envs.task_space import Task

_TAIL_ROWS = 1024
"""Number of newest rows that are searched linearly, which costs about as much as a look-up in a tree."""


class TaskHistory:
    """Tasks, each with its latest return.

    Rows are stored in an old part and a young part, each with a k-d tree, and in a tail without a tree. A
    full tail is merged into the young part; the young part is merged into the old part when it holds
    sqrt(n * 1024) of n rows. A look-up therefore searches two trees, and each row is inserted into a tree
    about sqrt(n / 1024) times, which for millions of rows costs less than the look-ups. (Trees of doubling
    size would be rebuilt less often, but a look-up would have to search ten of them.)

    When a task is played again, its return is replaced.

    Args:
        dim: Dimensions of a task.
    """

    def __init__(self, dim: int) -> None:
        self._old = _Part(np.empty((0, dim)), 0)
        self._young = _Part(np.empty((0, dim)), 0)
        self._tail = np.empty((_TAIL_ROWS, dim))
        self._returns = np.empty(_TAIL_ROWS)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def tasks(self) -> NDArray[np.float64]:
        """All different tasks, shape (n, d), in the order they were first played."""
        tail = self._tail[: self._size - self._indexed]
        return np.concatenate([self._old.tasks, self._young.tasks, tail])

    @property
    def returns(self) -> NDArray[np.float64]:
        """The latest return of each, shape (n,)."""
        return self._returns[: self._size]

    @property
    def _indexed(self) -> int:
        return len(self._old.tasks) + len(self._young.tasks)

    def exchange(self, task: Task, episode_return: float) -> float | None:
        """Add a task, shape (d,), with its return, and return what was known about it.

        Returns:
            The return of the nearest earlier task (by Euclidean distance in raw task units; any of equally
            near ones); None if this is the first.
        """
        row, distance = self._nearest(task) if self._size else (0, np.inf)
        known = float(self._returns[row]) if self._size else None
        if distance == 0:
            self._returns[row] = episode_return
        else:
            self._append(task, episode_return)
        return known

    def nearest_return(self, task: Task) -> float:
        """Return of the task nearest to `task`, shape (d,), by Euclidean distance in raw task units.

        Raises:
            ValueError: If the history is empty.
        """
        if not self._size:
            raise ValueError("an empty history has no nearest task")
        return float(self._returns[self._nearest(task)[0]])

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        return {"tasks": self.tasks, "returns": self.returns.copy(), "young_start": self._young.start}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        tasks, returns, young = state["tasks"], state["returns"], state["young_start"]
        self._size = len(tasks)
        indexed = self._size - self._size % _TAIL_ROWS
        self._old = _Part(tasks[:young], 0)
        self._young = _Part(tasks[young:indexed], young)
        self._tail[: self._size - indexed] = tasks[indexed:]
        self._returns = np.concatenate([returns, np.empty(_TAIL_ROWS)])

    def _nearest(self, task: Task) -> tuple[int, float]:
        point = task.astype(np.float64)
        row, distance = 0, np.inf
        for part in (self._old, self._young):
            if part.tree is not None:
                near, index = part.tree.query(point)
                if near < distance:
                    row, distance = part.start + int(index), float(near)
        offsets = self._tail[: self._size - self._indexed] - point
        if len(offsets):
            squares = np.einsum("nd,nd->n", offsets, offsets)
            closest = int(squares.argmin())
            if squares[closest] < distance**2:
                row, distance = self._indexed + closest, float(np.sqrt(squares[closest]))
        return row, distance

    def _append(self, task: NDArray[np.floating], episode_return: float) -> None:
        if self._size == len(self._returns):
            self._returns = np.concatenate([self._returns, np.empty_like(self._returns)])
        self._returns[self._size] = episode_return
        self._tail[self._size - self._indexed] = task
        self._size += 1
        if self._size - self._indexed == _TAIL_ROWS:
            self._index()

    def _index(self) -> None:
        young = np.concatenate([self._young.tasks, self._tail])
        if len(young) ** 2 < self._size * _TAIL_ROWS:
            self._young = _Part(young, self._young.start)
        else:
            self._old = _Part(np.concatenate([self._old.tasks, young]), 0)
            self._young = _Part(young[:0], self._size)


class _Part:
    """Consecutive rows of a history.

    Args:
        tasks: Shape (n, d).
        start: Index of the first row in the history.
    """

    def __init__(self, tasks: NDArray[np.float64], start: int) -> None:
        self.tasks = tasks
        self.start = start
        self.tree: cKDTree | None = None
        if len(tasks):
            # Sliding midpoints and large leaves: several times as fast to build as a balanced tree, a
            # fraction of the memory, and at least as fast to query.
            self.tree = cKDTree(tasks, leafsize=64, balanced_tree=False, compact_nodes=False)

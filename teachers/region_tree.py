"""A tree of boxes that tile a task space, each of which stores its latest episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import Task

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NO_CHILD = -1


def learning_progress(returns: Floats, ages: NDArray[np.integer], counts: Integers, window: int) -> Floats:
    """Absolute difference of mean return between the older and the newer half of the latest episodes.

    Args:
        returns: Shape (m, n), or (1, n) if all m rows share them.
        ages: For each row the ages of its episodes, 0 being the newest, shape (m, n); n or more for entries
            that are not episodes of the row.
        counts: Episodes of each row, shape (m,).
        window: Number of newest episodes used.

    Returns:
        Shape (m,); 0 where there are fewer than three episodes.
    """
    used = np.minimum(counts, window)
    newer = np.maximum(used // 2, 1)
    older = np.maximum(used - newer, 1)
    # Offsets from one of the returns make the progress of constant returns exactly 0.
    offsets = returns - returns[:, :1]
    is_newer = ages < newer[:, None]
    newer_mean = np.where(is_newer, offsets, 0.0).sum(axis=1) / newer
    older_mean = np.where(~is_newer & (ages < used[:, None]), offsets, 0.0).sum(axis=1) / older
    progress: Floats = np.where(counts > 2, np.abs(newer_mean - older_mean), 0.0)
    return progress


class RegionTree:
    """A binary tree of boxes (regions) whose leaves tile a task space.

    Region 0 is the whole space. Arrays are updated with every episode, so an episode costs a few array
    operations over the regions that contain it. An episode is stored once, however many regions refer to
    it, and dropped when none does any more.

    Args:
        low: Smallest task, shape (d,).
        high: Largest task, shape (d,).
        capacity: Episodes that each region stores.
        window: Number of newest episodes that a region's learning progress is computed from.
    """

    def __init__(self, low: Task, high: Task, capacity: int, window: int) -> None:
        self.capacity = capacity
        self.window = window
        self._size = 1
        self._low = low.astype(np.float64)[None]
        self._high = high.astype(np.float64)[None]
        self._alp = np.zeros(1)
        self._counts = np.zeros(1, dtype=np.int64)
        self._ends = np.zeros(1, dtype=np.int64)
        """Next position to write in the ring buffer of each region."""
        self._rings = np.zeros((1, capacity), dtype=np.int32)
        """Ring buffer of each region: rows of its episodes in `_tasks` and `_returns`."""
        # Lists, since walking down the tree reads single numbers.
        self._cut_dims = [0]
        self._thresholds = [0.0]
        self._children = [_NO_CHILD]
        """Index of the lower child of each region; the upper child is the next one."""
        self._tasks = np.empty((4 * capacity, len(low)), dtype=np.float32)
        self._returns = np.zeros(4 * capacity)
        self._episodes = 0
        position = np.arange(capacity)
        self._ages = ((position[:, None] - 1 - position) % capacity).astype(np.int32)
        """Age of each position of a ring buffer, by the next position to write."""

    def __len__(self) -> int:
        return self._size

    @property
    def low(self) -> Floats:
        """Lower corners of all regions, shape (n, d)."""
        return self._low[: self._size]

    @property
    def high(self) -> Floats:
        """Upper corners of all regions, shape (n, d)."""
        return self._high[: self._size]

    @property
    def alp(self) -> Floats:
        """Absolute learning progress of all regions, shape (n,)."""
        return self._alp[: self._size]

    @property
    def counts(self) -> Integers:
        """Number of episodes stored in each region, shape (n,)."""
        return self._counts[: self._size]

    @property
    def leaves(self) -> Integers:
        """Indices of the regions that have not been split, which tile the space."""
        return np.flatnonzero(np.array(self._children) == _NO_CHILD)

    def add(self, task: Task, episode_return: float) -> int:
        """Add an episode on a task, shape (d,), to all regions that contain it; return the leaf's index."""
        if self._episodes == len(self._tasks):
            self._drop_forgotten()
        self._tasks[self._episodes] = task
        self._returns[self._episodes] = episode_return
        path = self._path(task)
        ends = self._ends[path]
        self._rings[path, ends] = self._episodes
        self._ends[path] = (ends + 1) % self.capacity
        self._counts[path] = np.minimum(self._counts[path] + 1, self.capacity)
        self._episodes += 1
        self._measure(path)
        return int(path[-1])

    def episodes(self, region: int) -> tuple[NDArray[np.float32], Floats]:
        """Tasks (n, d) and returns (n,) of the episodes of a region, oldest first."""
        rows = self._remembered(region)
        return self._tasks[rows], self._returns[rows]

    def split(self, leaf: int, dim: int, threshold: float) -> None:
        """Split a leaf in two; tasks up to the threshold belong to the lower part."""
        rows = self._remembered(leaf)
        is_lower = self._tasks[rows, dim] <= threshold
        if self._size + 2 > len(self._alp):
            self._make_room()
        lower, upper = self._size, self._size + 1
        for child, own in ((lower, rows[is_lower]), (upper, rows[~is_lower])):
            self._low[child], self._high[child] = self._low[leaf], self._high[leaf]
            self._counts[child] = len(own)
            self._ends[child] = len(own) % self.capacity
            self._rings[child, : len(own)] = own
        self._high[lower, dim] = self._low[upper, dim] = threshold
        self._cut_dims[leaf], self._thresholds[leaf], self._children[leaf] = dim, threshold, lower
        self._cut_dims += [0, 0]
        self._thresholds += [0.0, 0.0]
        self._children += [_NO_CHILD, _NO_CHILD]
        self._size += 2
        self._measure(np.array([lower, upper]))

    def forget(self, region: int, episodes: int) -> None:
        """Drop a region's oldest episodes."""
        self._counts[region] = max(0, self._counts[region] - episodes)
        self._measure(np.array([region]))

    def _path(self, task: Task) -> NDArray[np.intp]:
        """The regions that contain a task, from the whole space down to the leaf."""
        numbers = task.tolist()
        region, path = 0, [0]
        while (child := self._children[region]) != _NO_CHILD:
            region = child + (numbers[self._cut_dims[region]] > self._thresholds[region])
            path.append(region)
        return np.array(path)

    def _remembered(self, region: int) -> NDArray[np.int32]:
        count, end = int(self._counts[region]), int(self._ends[region])
        rows: NDArray[np.int32] = self._rings[region, np.arange(end - count, end) % self.capacity]
        return rows

    def _measure(self, regions: NDArray[np.intp]) -> None:
        self._alp[regions] = learning_progress(
            self._returns[self._rings[regions]],
            self._ages[self._ends[regions]],
            self._counts[regions],
            self.window,
        )

    def _make_room(self) -> None:
        for name in ("_low", "_high", "_alp", "_counts", "_ends", "_rings"):
            array = getattr(self, name)
            more = np.zeros((len(array) + 2, *array.shape[1:]), dtype=array.dtype)
            setattr(self, name, np.concatenate([array, more]))

    def _drop_forgotten(self) -> None:
        """Drop the episodes that no region refers to, and make room for as many as are left."""
        is_kept = np.zeros(self._episodes, dtype=bool)
        is_kept[self._rings[: self._size]] = True
        kept = np.flatnonzero(is_kept)
        self._rings = (np.cumsum(is_kept) - 1)[self._rings].astype(np.int32)
        room = max(2 * len(kept), 4 * self.capacity)
        tasks, returns = self._tasks, self._returns
        self._tasks = np.empty((room, tasks.shape[1]), dtype=tasks.dtype)
        self._returns = np.empty(room)
        self._tasks[: len(kept)], self._returns[: len(kept)] = tasks[kept], returns[kept]
        self._episodes = len(kept)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        size, episodes = self._size, self._episodes
        return {
            "low": self.low.copy(),
            "high": self.high.copy(),
            "counts": self.counts.copy(),
            "ends": self._ends[:size].copy(),
            "rings": self._rings[:size].copy(),
            "cut_dims": np.array(self._cut_dims),
            "thresholds": np.array(self._thresholds),
            "children": np.array(self._children),
            "tasks": self._tasks[:episodes].copy(),
            "returns": self._returns[:episodes].copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned.

        Raises:
            ValueError: If the stored regions have a different capacity.
        """
        if state["rings"].shape[1] != self.capacity:
            raise ValueError(
                f"capacity={state['rings'].shape[1]} of the regions of the stored state must be this tree's "
                f"{self.capacity}"
            )
        for name in ("low", "high", "counts", "ends", "rings"):
            setattr(self, f"_{name}", state[name].copy())
        for name in ("cut_dims", "thresholds", "children"):
            setattr(self, f"_{name}", state[name].tolist())
        self._size, self._episodes = len(self._low), len(state["tasks"])
        self._tasks = np.empty((self._episodes + 4 * self.capacity, self._low.shape[1]), dtype=np.float32)
        self._returns = np.zeros(len(self._tasks))
        self._tasks[: self._episodes], self._returns[: self._episodes] = state["tasks"], state["returns"]
        self._alp = np.zeros(self._size)
        for start in range(0, self._size, 1024):
            self._measure(np.arange(start, min(start + 1024, self._size)))

"""Arrays in shared memory."""

from __future__ import annotations

import ctypes
from multiprocessing.context import SpawnContext
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike


class SharedBatch:
    """The arrays that workers and the main process share, one row per slot.

    Args:
        context: Allocates the shared memory.
        n: Number of slots.
        env: An env like those in the slots.

    Raises:
        ValueError: If its spaces are not arrays, or Dicts of arrays.
    """

    def __init__(self, context: SpawnContext, n: int, env: gym.Env[Any, Any]) -> None:
        self._context = context
        self._blocks: dict[str, tuple[Any, tuple[int, ...], np.dtype[Any]]] = {}
        space = env.observation_space
        parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {None: space}
        self._keys = list(parts)
        for key, part in parts.items():
            self._add(f"observation {key}", n, part.shape, part.dtype)
        actions = env.action_space
        self._add("actions", n, actions.shape, actions.dtype)
        dim = env.get_wrapper_attr("task_space").dim if env.has_wrapper_attr("task_space") else 0
        self._add("tasks", n, (dim,), np.float32)
        self._add("seeds", n, (), np.int64)
        self._add("mask", n, (), np.bool_)
        self._add("rewards", n, (), np.float64)
        self._add("terminated", n, (), np.bool_)
        self._add("truncated", n, (), np.bool_)
        self._view()

    def _add(self, name: str, n: int, shape: tuple[int, ...] | None, dtype: DTypeLike | None) -> None:
        if shape is None or dtype is None:
            raise ValueError(f"{name}: worker processes take spaces of arrays, and Dicts of them")
        shape, kind = (n, *shape), np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        self._blocks[name] = (self._context.RawArray(ctypes.c_byte, max(size, 1)), shape, kind)

    def _view(self) -> None:
        views = {
            name: np.frombuffer(block, dtype=kind, count=int(np.prod(shape))).reshape(shape)
            for name, (block, shape, kind) in self._blocks.items()
        }
        self.observations = [views[f"observation {key}"] for key in self._keys]
        self.actions, self.tasks, self.seeds = views["actions"], views["tasks"], views["seeds"]
        self.mask, self.rewards = views["mask"], views["rewards"]
        self.terminated, self.truncated = views["terminated"], views["truncated"]

    def __getstate__(self) -> dict[str, Any]:
        return {"_blocks": self._blocks, "_keys": self._keys}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._view()

    def copy_observations(self) -> Any:
        """A copy of the observations of all slots, which later steps do not change."""
        if self._keys == [None]:
            return self.observations[0].copy()
        return {key: part.copy() for key, part in zip(self._keys, self.observations, strict=True)}

    def write_observation(self, slot: int, observation: Any) -> None:
        """Write an observation into the row of a slot."""
        if self._keys == [None]:
            self.observations[0][slot] = observation
        else:
            for key, part in zip(self._keys, self.observations, strict=True):
                part[slot] = observation[key]

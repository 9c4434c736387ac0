"""Checks the arguments of a vector env's `reset`: seeds, a mask of slots and their tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from ..task_space import TaskSpace


def slot_seeds(seed: int | Sequence[int | None] | None, n: int) -> Sequence[int | None]:
    """One seed per slot, from None, an int for slot 0 (slot i gets seed + i), or a list.

    Raises:
        ValueError: If the list has another length.
    """
    if seed is None:
        return [None] * n
    if isinstance(seed, int):
        return range(seed, seed + n)
    if len(seed) != n:
        raise ValueError(f"seed must be one int or a list of num_envs={n}, got {len(seed)}")
    return seed


def slot_mask(mask: Any, n: int) -> NDArray[np.bool_]:
    """Which slots to reset, shape (n,); all of them for None.

    Raises:
        ValueError: If it has another shape or type, or no slot is chosen.
    """
    if mask is None:
        return np.ones(n, dtype=np.bool_)
    chosen = np.array(mask)
    if chosen.shape != (n,) or chosen.dtype != np.bool_ or not chosen.any():
        raise ValueError(
            f"options['reset_mask'] must be a bool array of shape ({n},) with at least one True, got {mask!r}"
        )
    return chosen


def slot_tasks(task: Any, space: TaskSpace, n: int, slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """One task per slot, shape (n, d), from one for all (None: the default), or one row per slot.

    Args:
        task: A vector of shape (d,), a dict, None, or float32 of shape (n, d).
        space: The task space.
        n: Number of slots.
        slots: The slots to reset: only their tasks are checked.

    Raises:
        ValueError: If a shape is wrong, or a task is not in the space.
    """
    if task is None or isinstance(task, Mapping) or np.ndim(task) == 1:
        return np.tile(space.to_vector(task), (n, 1))
    tasks = np.asarray(task, dtype=np.float32)
    if tasks.shape != (n, space.dim):
        raise ValueError(
            f"options['task'] must be one task or one per slot, of shape ({n}, {space.dim}), "
            f"got {tasks.shape}"
        )
    within = ((tasks[slots] >= space.low) & (tasks[slots] <= space.high)).all(axis=1)
    if not within.all():
        slot = int(slots[~within][0])
        try:
            space.to_vector(tasks[slot])
        except ValueError as error:
            raise ValueError(f"slot {slot}: {error}") from None
    return space.rounded(tasks)


def slot_generator(
    generators: list[np.random.Generator | None], slot: int, seed: int | None
) -> np.random.Generator:
    """A slot's generator; if it has none or a seed is given, a new one, which replaces it."""
    generator = generators[slot]
    if generator is None or seed is not None:
        generator, _ = seeding.np_random(None if seed is None else int(seed))
        generators[slot] = generator
    return generator

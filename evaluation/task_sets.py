"""Sets of test tasks, the same for all teachers and students that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..envs.task_space import Task, TaskSpace

HARDNESS = {"easy": 0.0, "middle": 0.5, "hard": 1.0}
"""Hardness of the tasks that have a name, from 0 (easiest) to 1 (hardest)."""


@dataclass(frozen=True)
class TaskSet:
    """Test tasks, each with the seed of its episode.

    Attributes:
        tasks: Tasks, shape (m, d).
        seeds: One per task.
    """

    tasks: Task
    seeds: list[int]

    def __len__(self) -> int:
        return len(self.seeds)


def uniform_tasks(space: TaskSpace, n_tasks: int, seed: int) -> TaskSet:
    """Draw test tasks uniformly from a task space (Portelas et al. 2019 use 50).

    Args:
        space: The task space.
        n_tasks: Number of tasks.
        seed: The same seed gives the same tasks and episode seeds; use the same one in all runs of a study.
    """
    rng = np.random.default_rng(seed)
    return TaskSet(space.rounded(space.sample(rng, n_tasks)), rng.integers(2**31, size=n_tasks).tolist())


def graded_task(space: TaskSpace, hardness: ArrayLike) -> Task:
    """The task at a given hardness, interpolated between the easiest and the hardest one.

    Args:
        space: The task space; its parameters define at which end of their ranges tasks are easy.
        hardness: From 0 to 1, for the whole task or for each of its parameters, shape (d,).
    """
    easy_low = np.array([p.easy == "low" for p in space.parameters for _ in range(p.size)])
    shares = np.broadcast_to(np.asarray(hardness, np.float64), space.low.shape)
    return space.rounded(space.denormalize(np.where(easy_low, shares, 1 - shares)))


def named_task(space: TaskSpace, wanted: Any, seed: int) -> Task:
    """The task that a user specifies.

    Args:
        space: The task space.
        wanted: One of `HARDNESS`, "random", a vector, or a dict from names to values.
        seed: Seeds a random task.

    Raises:
        ValueError: If it is none of these, or not a task of the space.
    """
    if wanted == "random":
        return space.rounded(space.sample(np.random.default_rng(seed)))
    if isinstance(wanted, str) and wanted in HARDNESS:
        return graded_task(space, HARDNESS[wanted])
    if isinstance(wanted, str):
        words = ", ".join([*HARDNESS, "random"])
        raise ValueError(f"task={wanted} must be one of {words}, a vector or {{name:value}} of {space.names}")
    try:
        if isinstance(wanted, Mapping):
            wanted = {name: np.asarray(value, np.float32) for name, value in wanted.items()}
        else:
            wanted = np.atleast_1d(np.asarray(wanted, np.float32))
    except (ValueError, TypeError) as error:
        raise ValueError(f"task: {error}") from error
    return space.to_vector(wanted)

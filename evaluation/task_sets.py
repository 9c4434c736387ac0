"""Sets of test tasks: the same for every teacher and every student that is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..envs.task_space import Task, TaskSpace

HARDNESS = {"easy": 0.0, "middle": 0.5, "hard": 1.0}
"""How far the tasks that have a word lie on the way from the easiest to the hardest one."""


@dataclass(frozen=True)
class TaskSet:
    """Tasks to test on, each with the seed of its episode.

    Attributes:
        tasks: Shape (m, d).
        seeds: One per task.
    """

    tasks: Task
    seeds: list[int]

    def __len__(self) -> int:
        return len(self.seeds)


def uniform_tasks(space: TaskSpace, n_tasks: int, seed: int) -> TaskSet:
    """Draw test tasks uniformly from a task space (Portelas et al. 2019 use 50).

    Args:
        space: Where to draw from.
        n_tasks: How many.
        seed: The same seed gives the same tasks and episode seeds; keep it over all runs of a study.
    """
    rng = np.random.default_rng(seed)
    return TaskSet(space.rounded(space.sample(rng, n_tasks)), rng.integers(2**31, size=n_tasks).tolist())


def graded_task(space: TaskSpace, hardness: ArrayLike) -> Task:
    """The task that lies so far on the way from the easiest to the hardest one.

    Args:
        space: Where the task lies; its parameters know at which end of their ranges tasks are easy.
        hardness: From 0 to 1, for all of the task or for each of its numbers, shape (d,).
    """
    easy_low = np.array([p.easy == "low" for p in space.parameters for _ in range(p.size)])
    shares = np.broadcast_to(np.asarray(hardness, np.float64), space.low.shape)
    return space.rounded(space.denormalize(np.where(easy_low, shares, 1 - shares)))


def named_task(space: TaskSpace, wanted: Any, seed: int) -> Task:
    """The task that a person asks for.

    Args:
        space: Where the task lies.
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

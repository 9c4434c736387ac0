"""Named test sets: versioned files next to this module, and CSV files of the user."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from ..envs.walkers.open_ended_tracks import TEST_ENVS
from .task_sets import TaskSet

UNIFORM = "uniform_v1"
GRIDS = {1: "grid_1d_v1", 2: "grid_2d_v1", 3: "grid_3d_v1"}
"""Regular grids by the dimension of their task space."""
OPEN_ENDED = "open_ended_v1"

_UNIFORM_TASKS, _UNIFORM_DIMENSIONS = 50, 20
_GRID_SIDES = {1: 100, 2: 10, 3: 5}
_DECIMALS = 6
_SEEDS = {UNIFORM: 20191030, OPEN_ENDED: 20220302, **{name: 20211000 + dim for dim, name in GRIDS.items()}}
"""Seed of each file's random numbers: arbitrary, and unlike the usual seeds of runs."""


def uniform_table() -> pd.DataFrame:
    """The recipe of `uniform_v1.csv`: 50 points drawn uniformly from the unit cube of 20 dimensions.

    Returns:
        `x0` to `x19`, rounded to 6 decimals, and `seed`, the seed of the first episode.
    """
    rng = np.random.default_rng(_SEEDS[UNIFORM])
    return _table(rng.random((_UNIFORM_TASKS, _UNIFORM_DIMENSIONS)), rng)


def grid_table(dim: int) -> pd.DataFrame:
    """The recipe of `grid_<dim>d_v1.csv`: a regular grid over the unit cube, its borders included.

    Args:
        dim: 1 (100 points), 2 (10 × 10) or 3 (5 × 5 × 5).

    Returns:
        `x0` to `x<dim - 1>`, rounded to 6 decimals, and `seed`, the seed of the first episode.
    """
    axis = np.linspace(0, 1, _GRID_SIDES[dim])
    points = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    return _table(points, np.random.default_rng(_SEEDS[GRIDS[dim]]))


def open_ended_table() -> pd.DataFrame:
    """The recipe of `open_ended_v1.csv`: the six test envs of `chiron.envs.walkers.open_ended_tracks`.

    Returns:
        `test_env` and `seed`, the seed of the first episode.
    """
    rng = np.random.default_rng(_SEEDS[OPEN_ENDED])
    return pd.DataFrame({"test_env": list(TEST_ENVS), "seed": rng.integers(2**31, size=len(TEST_ENVS))})


RECIPES: dict[str, Callable[[], pd.DataFrame]] = {
    UNIFORM: uniform_table,
    **{name: partial(grid_table, dim) for dim, name in GRIDS.items()},
    OPEN_ENDED: open_ended_table,
}
"""The function that makes each file; a new recipe gets a new version, and files never change."""


def shipped_table(name: str) -> pd.DataFrame:
    """The content of a versioned file.

    Args:
        name: One of `RECIPES`.
    """
    with (files("chiron.evaluation") / "test_sets" / f"{name}.csv").open() as file:
        return pd.read_csv(file)


def shipped_task_set(name: str, space: TaskSpace) -> tuple[str, TaskSet]:
    """A named test set in a task space.

    Args:
        name: `uniform` or `grid`.
        space: The task space, to whose ranges the file's unit cube is scaled.

    Returns:
        The versioned name, and the tasks.

    Raises:
        ValueError: If there are no such tasks for the dimension of the task space.
    """
    if name == "grid":
        if space.dim not in GRIDS:
            raise ValueError(
                f"grid has tasks of 1, 2 or 3 numbers, and this env's have {space.dim}: use uniform"
            )
        name = GRIDS[space.dim]
    else:
        if space.dim > _UNIFORM_DIMENSIONS:
            raise ValueError(
                f"uniform has tasks of up to {_UNIFORM_DIMENSIONS} numbers, and this env's have {space.dim}"
            )
        name = UNIFORM
    table = shipped_table(name)
    points = table[[f"x{index}" for index in range(space.dim)]].to_numpy()
    return name, TaskSet(space.rounded(space.denormalize(points)), table["seed"].tolist())


def open_ended_task_set() -> TaskSet:
    """The six test envs, as tasks of `chiron.envs.walkers.open_ended_test_envs.OpenEndedTestEnvs`."""
    table = shipped_table(OPEN_ENDED)
    places = [[list(TEST_ENVS).index(name)] for name in table["test_env"]]
    return TaskSet(np.array(places, np.float32), table["seed"].tolist())


def read_task_set(path: Path, space: TaskSpace) -> TaskSet:
    """Read a user's test set.

    Args:
        path: A CSV file with a column for each of `space.columns`, in any order, and optionally `seed`, the
            seed of each task's first episode; if absent, 0, 1, 2, … by row.
        space: The task space.

    Raises:
        ValueError: If the file cannot be read, columns are missing or unknown, or a task is not in the space.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    wrong = set(table.columns) - {"seed"} ^ set(space.columns)
    if wrong or table.empty:
        raise ValueError(
            f"{path} must have rows with the columns {', '.join(space.columns)} and maybe seed, "
            f"but has {len(table)} rows with {', '.join(table.columns)}"
        )
    tasks = []
    for row, task in enumerate(table[space.columns].to_numpy(), start=1):
        try:
            tasks.append(space.to_vector(task))
        except ValueError as error:
            raise ValueError(f"{path}, row {row}: {error}") from error
    seeds = table["seed"].tolist() if "seed" in table else list(range(len(table)))
    if not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise ValueError(f"{path}: seed must be a whole number, 0 or greater, in every row")
    return TaskSet(np.array(tasks, np.float32), seeds)


def with_episodes(task_set: TaskSet, episodes: int) -> TaskSet:
    """Several episodes of each task: the first with the task's own seed, the others with seeds drawn from it.

    Args:
        task_set: The tasks.
        episodes: Episodes per task; the first ones do not depend on this number.

    Returns:
        All episodes of the first task, then all of the second, and so on.
    """
    seeds = [
        seed
        for own in task_set.seeds
        for seed in (own, *np.random.default_rng(own).integers(2**31, size=episodes - 1).tolist())
    ]
    return TaskSet(np.repeat(task_set.tasks, episodes, axis=0), seeds)


def _table(points: NDArray[np.float64], rng: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(points.round(_DECIMALS), columns=[f"x{i}" for i in range(points.shape[1])])
    return table.assign(seed=rng.integers(2**31, size=len(table)))

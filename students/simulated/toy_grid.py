"""The toy grid of the ALP-GMM paper, a simulated student whose competence is known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task_space import Task, TaskParameter, TaskSpace
from ...teachers.teacher import Seed
from .simulated_student import SimulatedStudent

_MOST_CELLS = 10_000_000
_MOST_DIMS = 23
"""Limit for two cells per dimension; applied to one cell too, since arrays have at most 64 dimensions."""
_MOST_USELESS_DIMS = 1000

_MASTERED = 75
"""A cell is mastered above this competence; at this competence it opens its neighbours."""

_FULL = 100


class ToyGrid(SimulatedStudent):
    """The toy space of Portelas et al. (CoRL 2019): a cube of cells, learned outwards from one corner.

    Each dimension of the unit cube is cut into cells, each with a competence from 0 to 100. An episode on a
    task raises the competence of the task's cell by 1 if the cell is open: if it is the one at the origin or
    another start, or has a neighbour towards the origin (each index equal or one lower) with a competence of
    at least 75. The return is the cell's competence after the episode, divided by 100.

    Args:
        dims: Dimensions of the grid, at most 23.
        cells: Cells per dimension.
        useless_dims: Additional dimensions of the task that have no effect, at most 1,000.
        return_noise: Standard deviation of a Gaussian added to every return.
        starts: Number of cells that are open from the start: the one at the origin, and random others.
        first_range: Upper end of the first parameter; the others end at 1.
        seed: Seeds noise and the other starts.

    Raises:
        ValueError: If an argument is out of range, or there would be more than ten million cells.

    Attributes:
        task_space: The cube, with parameters `x0`, `x1`, … and `useless0`, `useless1`, …; the default task is
            in the cell at the origin.
        competence: Of each cell, from 0 to 100, shape (cells,) * dims.
        return_range: Lowest and highest return without noise.
        mastered_return: A cell is mastered when its return, without noise, is above this.
    """

    return_range = (0.0, 1.0)
    mastered_return = _MASTERED / _FULL

    def __init__(
        self,
        dims: int = 2,
        cells: int = 10,
        useless_dims: int = 0,
        return_noise: float = 0.0,
        starts: int = 1,
        first_range: float = 1.0,
        seed: Seed = None,
    ) -> None:
        ranges = {
            "dims": (dims, 1, _MOST_DIMS),
            "cells": (cells, 1, _MOST_CELLS),
            "useless_dims": (useless_dims, 0, _MOST_USELESS_DIMS),
            "starts": (starts, 1, _MOST_CELLS),
        }
        for name, (value, lowest, highest) in ranges.items():
            if not lowest <= value <= highest:
                raise ValueError(f"{name}={value} must be at least {lowest} and at most {highest}")
        if not 0 <= return_noise < np.inf:
            raise ValueError(f"return_noise={return_noise} must be at least 0 and finite")
        if cells**dims > _MOST_CELLS:
            raise ValueError(f"cells={cells} ** dims={dims} must be at most {_MOST_CELLS}")
        if starts > cells**dims:
            raise ValueError(f"starts={starts} must be at most the number of cells, {cells**dims}")
        if not 0 < first_range < np.inf:
            raise ValueError(f"first_range={first_range} must be above 0 and finite")
        self.dims = dims
        self.cells = cells
        self.return_noise = return_noise
        self.first_range = first_range
        ends = [first_range] + [1.0] * (dims - 1)
        self.task_space = TaskSpace(
            [
                # Where learning starts; defaults tell teachers what the user knows about easy tasks.
                *(TaskParameter(f"x{i}", 0.0, end, default=0.0) for i, end in enumerate(ends)),
                *(TaskParameter(f"useless{i}", 0.0, 1.0) for i in range(useless_dims)),
            ]
        )
        self.competence: NDArray[np.int64] = np.zeros((cells,) * dims, dtype=np.int64)
        self._rng = np.random.default_rng(seed)
        others = (
            self._rng.choice(cells**dims - 1, starts - 1, replace=False) if starts > 1 else np.empty(0, int)
        )
        self._starts = np.array(np.unravel_index([0, *(1 + others)], self.competence.shape)).T
        self._is_open = self._open_at_first()

    @property
    def mastered_percent(self) -> float:
        """Percentage of cells with a competence above 75."""
        return float(100 * self._is_mastered.mean())

    @property
    def return_mean(self) -> float:
        """Mean return, without noise, that episodes on all cells would have now."""
        return float(self.competence.mean()) / _FULL

    @property
    def competence_map(self) -> NDArray[np.float64]:
        return self.competence / _FULL

    @property
    def _is_mastered(self) -> NDArray[np.bool_]:
        return self.competence > _MASTERED

    def cell_of(self, task: Task) -> tuple[int, ...]:
        """The cell that a task, shape (d,), lies in."""
        first, *others = task[: self.dims].tolist()
        return tuple(min(int(x * self.cells), self.cells - 1) for x in (first / self.first_range, *others))

    def play(self, task: Task) -> float:
        """Play an episode on a task, shape (d,), and return its return.

        Raises:
            ValueError: If the task is not within the task space.
        """
        if not self.task_space.contains(task):
            raise ValueError(
                f"task={task} must lie within the task space, of shape {self.task_space.low.shape}"
            )
        cell = self.cell_of(task)
        self._learn(cell)
        noise = self.return_noise * self._rng.standard_normal() if self.return_noise else 0.0
        return self._return_of(cell) + noise

    def _learn(self, cell: tuple[int, ...]) -> None:
        if self._is_open[cell]:
            self.competence[cell] = min(self.competence[cell] + 1, _FULL)
            if self.competence[cell] == _MASTERED:
                self._is_open[tuple(slice(i, i + 2) for i in cell)] = True

    def _return_of(self, cell: tuple[int, ...]) -> float:
        return float(self.competence[cell]) / _FULL

    def _open_at_first(self) -> NDArray[np.bool_]:
        is_open = np.zeros(self.competence.shape, dtype=bool)
        is_open[tuple(self._starts.T)] = True
        return is_open

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: nested dicts of JSON values and arrays."""
        return {
            "competence": self.competence.copy(),
            "is_open": self._is_open.copy(),
            "starts": self._starts.copy(),
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is of a grid of another shape.
        """
        competence = state["competence"]
        if competence.shape != self.competence.shape:
            raise ValueError(
                f"cells of the stored state have shape {competence.shape}, which must be this grid's "
                f"{self.competence.shape}"
            )
        self.competence = competence.copy()
        self._rng.bit_generator.state = state["rng"]
        # Not computed from the competence: a cell that has opened its neighbours may lose competence again.
        self._is_open = state["is_open"].copy()
        self._starts = state["starts"].copy()

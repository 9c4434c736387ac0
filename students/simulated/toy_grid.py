"""The toy grid of the ALP-GMM paper, a simulated student whose competence is known exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task_space import Task, TaskParameter, TaskSpace
from ...teachers.teacher import Seed
from .simulated_student import SimulatedStudent

_MOST_CELLS = 10_000_000

_MASTERED = 75
"""A cell is mastered above this competence; at this competence it opens its neighbours."""

_FULL = 100


class ToyGrid(SimulatedStudent):
    """The toy space of Portelas et al. (CoRL 2019): a cube of cells, learned outwards from one corner.

    Each dimension of the unit cube is cut into cells, each with a competence from 0 to 100. An episode on a
    task raises the competence of the task's cell by 1 if the cell is open: if it is the one at the origin,
    or has a neighbour towards the origin (each index equal or one lower) with a competence of at
    least 75. The return is the cell's competence after the episode, divided by 100.

    Args:
        dims: Dimensions of the grid.
        cells: Cells per dimension.
        useless_dims: Further dimensions of the task that change nothing.
        return_noise: Standard deviation of a Gaussian added to every return.
        seed: Seeds the noise.

    Raises:
        ValueError: If an argument is out of range, or there would be more than ten million cells.

    Attributes:
        task_space: The unit cube, with parameters `x0`, `x1`, … and `useless0`, `useless1`, …
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
        seed: Seed = None,
    ) -> None:
        for name, value, least in (("dims", dims, 1), ("cells", cells, 1), ("useless_dims", useless_dims, 0)):
            if value < least:
                raise ValueError(f"{name}={value} must be at least {least}")
        if not 0 <= return_noise < np.inf:
            raise ValueError(f"return_noise={return_noise} must be at least 0 and finite")
        if cells**dims > _MOST_CELLS:
            raise ValueError(f"cells={cells} ** dims={dims} must be at most {_MOST_CELLS}")
        self.dims = dims
        self.cells = cells
        self.return_noise = return_noise
        names = [f"x{i}" for i in range(dims)] + [f"useless{i}" for i in range(useless_dims)]
        self.task_space = TaskSpace([TaskParameter(name, 0.0, 1.0) for name in names])
        self.competence: NDArray[np.int64] = np.zeros((cells,) * dims, dtype=np.int64)
        self._is_open = np.zeros(self.competence.shape, dtype=bool)
        self._is_open[(0,) * dims] = True
        self._rng = np.random.default_rng(seed)

    @property
    def mastered_percent(self) -> float:
        """Percentage of cells with a competence above 75."""
        return float(100 * (self.competence > _MASTERED).mean())

    @property
    def return_mean(self) -> float:
        """Mean return, without noise, that episodes on all cells would have now."""
        return float(self.competence.mean()) / _FULL

    @property
    def competence_map(self) -> NDArray[np.float64]:
        return self.competence / _FULL

    def has_mastered(self, task: Task) -> bool:
        return bool(self.competence[self.cell_of(task)] > _MASTERED)

    def cell_of(self, task: Task) -> tuple[int, ...]:
        """The cell that a task, shape (d,), lies in."""
        return tuple(min(int(x * self.cells), self.cells - 1) for x in task[: self.dims].tolist())

    def play(self, task: Task) -> float:
        """Play an episode on a task, shape (d,), and return its return.

        Raises:
            ValueError: If the task is not within the task space.
        """
        if not self.task_space.contains(task):
            raise ValueError(f"task={task} must lie in the unit cube of shape {self.task_space.low.shape}")
        cell = self.cell_of(task)
        if self._is_open[cell]:
            self.competence[cell] = min(self.competence[cell] + 1, _FULL)
            if self.competence[cell] == _MASTERED:
                self._open_neighbours(cell)
        noise = self.return_noise * self._rng.standard_normal() if self.return_noise else 0.0
        return float(self.competence[cell]) / _FULL + noise

    def _open_neighbours(self, cell: Sequence[int]) -> None:
        self._is_open[tuple(slice(i, i + 2) for i in cell)] = True

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: nested dicts of JSON values and arrays."""
        return {"competence": self.competence.copy(), "rng": self._rng.bit_generator.state}

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
        self._is_open[:] = False
        self._is_open[(0,) * self.dims] = True
        for cell in np.argwhere(competence >= _MASTERED).tolist():
            self._open_neighbours(cell)

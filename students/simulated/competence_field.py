"""A simulated student whose competence spreads over the task space and fades where it is not practised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task_space import Task, TaskParameter, TaskSpace
from ...teachers.teacher import Seed
from .simulated_student import SimulatedStudent

_POINTS_PER_DIM = {1: 100, 2: 25, 3: 12}
_MASTERED = 0.75


class CompetenceField(SimulatedStudent):
    """Competence in [0, 1] at the points of a regular grid over the unit cube.

    An episode on a task x changes the competence c of every point p by its similarity to the task,
    k = exp(-|x - p|² / (2 reach²)): first c += rate c(x) k (1 - c), so that practice helps where the student
    already has competence and generalises to similar tasks; then c -= forgetting (1 - k) c, so that
    competence fades without practice. c(x) is the competence at the point nearest to x. Initially competence
    is 0.5 at some random points and falls off around them with the same k. The return of an episode is c(x)
    before it, with noise.

    Args:
        dims: Dimensions of the task space, 1 to 3.
        starts: Number of points around which the student has competence at the start.
        reach: How far practice generalises, in units of the cube's side.
        rate: Share of the way to a competence of 1 that an episode on a task makes at competence 1.
        forgetting: Share of its competence that a point loses in an episode on a dissimilar task.
        return_noise: Standard deviation of a Gaussian added to every return.
        seed: Seeds starts and noise.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        competence: Of each point, shape (points per dimension,) * dims.
    """

    return_range = (0.0, 1.0)
    mastered_return = _MASTERED

    def __init__(
        self,
        dims: int = 2,
        starts: int = 4,
        reach: float = 0.03,
        rate: float = 0.15,
        forgetting: float = 1e-4,
        return_noise: float = 0.05,
        seed: Seed = None,
    ) -> None:
        if dims not in _POINTS_PER_DIM:
            raise ValueError(f"dims={dims} must be one of {', '.join(map(str, _POINTS_PER_DIM))}")
        for name, value in (("rate", rate), ("forgetting", forgetting)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value} must be in [0, 1]")
        if not 0 < reach < np.inf:
            raise ValueError(f"reach={reach} must be above 0 and finite")
        if not 0 <= return_noise < np.inf:
            raise ValueError(f"return_noise={return_noise} must be at least 0 and finite")
        points = _POINTS_PER_DIM[dims]
        if not 1 <= starts <= points**dims:
            raise ValueError(f"starts={starts} must be in [1, {points**dims}]")
        self.reach, self.rate, self.forgetting, self.return_noise = reach, rate, forgetting, return_noise
        self.task_space = TaskSpace([TaskParameter(f"x{i}", 0.0, 1.0) for i in range(dims)])
        self._shape = (points,) * dims
        self._points = (np.indices(self._shape).reshape(dims, -1).T + 0.5) / points
        self._rng = np.random.default_rng(seed)
        able = self._rng.choice(len(self._points), starts, replace=False)
        self._competence = 0.5 * np.max([self._similarity(self._points[one]) for one in able], axis=0)

    @property
    def competence(self) -> NDArray[np.float64]:
        return np.reshape(self._competence, self._shape)

    @property
    def competence_map(self) -> NDArray[np.float64]:
        return self.competence

    @property
    def mastered_percent(self) -> float:
        """Percentage of points with a competence above 0.75."""
        return float(100 * (self._competence > _MASTERED).mean())

    @property
    def return_mean(self) -> float:
        return float(self._competence.mean())

    def play(self, task: Task) -> float:
        able = float(self._competence[self._nearest(task)])
        similarity = self._similarity(task)
        self._competence += self.rate * able * similarity * (1 - self._competence)
        self._competence -= self.forgetting * (1 - similarity) * self._competence
        return able + self.return_noise * self._rng.standard_normal()

    def _nearest(self, task: Task) -> int:
        points = self._shape[0]
        index = 0
        for x in task.tolist():
            index = index * points + min(int(x * points), points - 1)
        return index

    def _similarity(self, task: NDArray[Any]) -> NDArray[np.float64]:
        squared = ((self._points - task) ** 2).sum(axis=1)
        return np.asarray(np.exp(-squared / (2 * self.reach**2)))

    def state_dict(self) -> dict[str, Any]:
        return {"competence": self._competence.copy(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._competence = state["competence"].copy()
        self._rng.bit_generator.state = state["rng"]

"""The toy grid with properties that mislead teachers: unlearnable tasks, binary returns, forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...envs.task_space import Task
from ...teachers.teacher import Seed
from .toy_grid import ToyGrid


class HinderedGrid(ToyGrid):
    """A toy grid on which learning progress is hard to detect.

    Args:
        dims: As for `ToyGrid`, like the next five.
        cells: Cells per dimension.
        useless_dims: Additional dimensions of the task that have no effect.
        return_noise: Standard deviation of a Gaussian added to every return.
        starts: Number of cells that are open from the start.
        first_range: Upper end of the first parameter.
        unlearnable: Share of the cells that cannot be learned, in [0, 1): those with the largest sums of
            indices, farthest from the start at the origin.
        unlearnable_returns: An episode on such a cell has one of these returns at random: [0] for impossible
            tasks, [0.5] for a plateau, [0, 1] for a coin flip.
        binary_returns: Whether other returns are 1 with the probability that the return would have been, and
            0 otherwise.
        decay: After each episode, a random cell loses 1 of its competence with this probability.
        forget_at: After this many episodes, all competence is lost once; None for never.
        seed: Seeds everything that is drawn.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        is_learnable: Whether a cell can be learned, shape (cells,) * dims.
        played: Episodes so far.
    """

    def __init__(
        self,
        dims: int = 2,
        cells: int = 10,
        useless_dims: int = 0,
        return_noise: float = 0.0,
        starts: int = 1,
        first_range: float = 1.0,
        unlearnable: float = 0.0,
        unlearnable_returns: Sequence[float] = (0.0,),
        binary_returns: bool = False,
        decay: float = 0.0,
        forget_at: int | None = None,
        seed: Seed = None,
    ) -> None:
        if not 0 <= unlearnable < 1:
            raise ValueError(f"unlearnable={unlearnable} must be in [0, 1)")
        if not unlearnable_returns or not all(0 <= value <= 1 for value in unlearnable_returns):
            raise ValueError(f"unlearnable_returns={unlearnable_returns} must be a list of numbers in [0, 1]")
        if not 0 <= decay <= 1:
            raise ValueError(f"decay={decay} must be in [0, 1]")
        if forget_at is not None and forget_at < 1:
            raise ValueError(f"forget_at={forget_at} must be at least 1, or null")
        super().__init__(dims, cells, useless_dims, return_noise, starts, first_range, seed)
        self.unlearnable_returns = list(unlearnable_returns)
        self.binary_returns = binary_returns
        self.decay = decay
        self.forget_at = forget_at
        self.played = 0
        order = np.argsort(np.indices(self.competence.shape).sum(axis=0), axis=None, kind="stable")
        learnable = self.competence.size - int(unlearnable * self.competence.size)
        self.is_learnable = np.ones(self.competence.shape, dtype=bool)
        self.is_learnable.flat[order[learnable:]] = False

    @property
    def mastered_percent(self) -> float:
        """Percentage of the learnable cells with a competence above 75."""
        return float(100 * self._is_mastered[self.is_learnable].mean())

    @property
    def return_mean(self) -> float:
        """Mean return, without noise, that episodes on all cells would have now."""
        without = np.mean(self.unlearnable_returns)
        return float(np.where(self.is_learnable, self.competence_map, without).mean())

    def play(self, task: Task) -> float:
        episode_return = super().play(task)
        self.played += 1
        if self.decay and self._rng.random() < self.decay:
            cell = np.unravel_index(self._rng.integers(self.competence.size), self.competence.shape)
            self.competence[cell] = np.maximum(self.competence[cell] - 1, 0)
        if self.played == self.forget_at:
            self.competence[:] = 0
            self._is_open = self._open_at_first()
        return episode_return

    def _learn(self, cell: tuple[int, ...]) -> None:
        if self.is_learnable[cell]:
            super()._learn(cell)

    def _return_of(self, cell: tuple[int, ...]) -> float:
        if not self.is_learnable[cell]:
            return float(self.unlearnable_returns[self._rng.integers(len(self.unlearnable_returns))])
        value = super()._return_of(cell)
        return float(self._rng.random() < value) if self.binary_returns else value

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "played": self.played}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.played = state["played"]

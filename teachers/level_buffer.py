"""A buffer of levels to replay, with the probability of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import Task

NONE = -1
"""Stands for no level: the number of a new level, and the parent of one that is not an edited copy."""

_COLUMNS = ("tasks", "seeds", "numbers", "scores", "best_returns", "proposed", "parents", "edits")


@dataclass(frozen=True, slots=True)
class Level:
    """A task with the seed of its env, and where it came from.

    Attributes:
        task: Float32 of shape (d,).
        seed: Seed of the env's reset.
        proposed: The buffer's clock when it was proposed.
        parent: Number of the level it was made from, or NONE.
        edits: How often it and its ancestors have been edited.
    """

    task: Task
    seed: int
    proposed: int = 0
    parent: int = NONE
    edits: int = 0


class LevelBuffer:
    """The levels with the highest scores, and a distribution over them (Jiang et al. 2021).

    With scores S, the clock C when each level was last proposed, and the current clock c, level i is chosen
    with probability

        P_i = (1 - staleness) h_i / sum(h) + staleness (c - C_i) / sum(c - C)
        h_i = rank(S_i)^(-1 / temperature)

    where the highest score has rank 1, and of equal scores the one stored first ranks first. In a full
    buffer, a new level replaces the one with the smallest P if it has a higher score.

    Args:
        dim: Dimensions of a task.
        capacity: Maximum number of levels.
        temperature: Temperature of the ranks, above 0; small values prefer the first ranks.
        staleness: Share of the term that grows with the time since a level was last proposed, in [0, 1].

    Attributes:
        clock: Number of proposals so far, of new and old levels.
        count: Number of levels. Only the first `count` rows of the arrays below are in use.
        tasks: Float32 of shape (capacity, d).
        seeds: Shape (capacity,), like all that follow.
        numbers: Numbers of the levels, in the order in which they entered.
        scores: Latest score of each level.
        best_returns: Highest discounted return in each level.
        proposed: The clock when each level was last proposed.
        parents: Number of the level that each was made from, or NONE.
        edits: How often each level and its ancestors have been edited.
    """

    def __init__(self, dim: int, capacity: int, temperature: float, staleness: float) -> None:
        self.clock = 0
        self.count = 0
        self.tasks = np.zeros((capacity, dim), np.float32)
        self.scores, self.best_returns = np.zeros(capacity), np.zeros(capacity)
        self.seeds, self.numbers, self.proposed, self.parents, self.edits = (
            np.zeros(capacity, np.int64) for _ in range(5)
        )
        self._entered = 0
        self._staleness = staleness
        self._by_rank = np.arange(1, capacity + 1) ** (-1 / temperature)

    @property
    def capacity(self) -> int:
        """Maximum number of levels."""
        return len(self.scores)

    def probabilities(self) -> NDArray[np.float64]:
        """Probability of choosing each level now, shape (count,)."""
        n = self.count
        by_score = np.empty(n)
        by_score[np.argsort(-self.scores[:n], kind="stable")] = self._by_rank[:n]
        waited = (self.clock - self.proposed[:n]).astype(np.float64)
        total = waited.sum()
        by_age = waited / total if total > 0 else np.full(n, 1 / n)
        shares: NDArray[np.float64] = by_score / by_score.sum()
        return (1 - self._staleness) * shares + self._staleness * by_age

    def row_of(self, number: int) -> int | None:
        """Row of a level; None if another level has replaced it."""
        rows = np.flatnonzero(self.numbers[: self.count] == number)
        return int(rows[0]) if len(rows) else None

    def add(self, level: Level, score: float, best_return: float) -> None:
        """Add a scored level, if its score is high enough."""
        row = self.count
        if row == self.capacity:
            row = int(self.probabilities().argmin())
            if score <= self.scores[row]:
                return
        else:
            self.count += 1
        self.tasks[row], self.seeds[row] = level.task, level.seed
        self.proposed[row], self.parents[row], self.edits[row] = level.proposed, level.parent, level.edits
        self.scores[row], self.best_returns[row] = score, best_return
        self.numbers[row] = self._entered
        self._entered += 1

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        columns = {name: getattr(self, name)[: self.count].copy() for name in _COLUMNS}
        return {"clock": self.clock, "entered": self._entered, **columns}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self.clock, self._entered, self.count = state["clock"], state["entered"], len(state["scores"])
        for name in _COLUMNS:
            getattr(self, name)[: self.count] = state[name]

"""A buffer of the tasks with the highest scores, spread towards a target distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]

_REDRAWS = 10
_LARGEST_NOISE = 0.25
"""Standard deviation of the noise around the worst tasks, as a share of each range."""


class SuccessBuffer:
    """Tasks in [0, 1]^d with high scores.

    Until the median score is above the threshold, tasks that score at least the median replace the worse
    half. From then on, only tasks that reach the threshold enter, and first replace those that do not. When
    all do and the buffer is full, tasks are assigned to samples of the target at the smallest total squared
    distance, and the assigned ones are kept.

    Args:
        dim: Dimensions of a task.
        capacity: Maximum number of tasks.
        least_noise: Standard deviation of the noise around tasks that reach the threshold.

    Attributes:
        tasks: Shape (n, d).
        scores: Shape (n,).
        reached: Whether the median score has been above the threshold.
    """

    def __init__(self, dim: int, capacity: int, least_noise: float) -> None:
        self.capacity = capacity
        self.least_noise = least_noise
        self.tasks = np.empty((0, dim))
        self.scores = np.empty(0)
        self.reached = False
        self._lowest = 0.0

    def add(self, tasks: Floats, scores: Floats, threshold: float, target: Floats) -> NDArray[np.bool_]:
        """Add episodes; returns which of them did not enter, shape (n,).

        Args:
            tasks: Shape (n, d), n being below the capacity.
            scores: Shape (n,).
            threshold: Lowest score at which a task counts as mastered.
            target: Samples of the target, shape (capacity, d).
        """
        if not len(self.tasks):
            self._lowest = float(scores.min())
        if self.reached:
            return self._add_mastered(tasks, scores, threshold, target)
        return self._add_best(tasks, scores, threshold)

    def _add_best(self, tasks: Floats, scores: Floats, threshold: float) -> NDArray[np.bool_]:
        middle = len(self.scores) // 2
        median = self.scores[middle] if len(self.scores) else -np.inf
        is_new = scores >= median
        self.reached = bool(median > threshold)
        # Scores are in order, lowest first; the buffer never shrinks.
        dropped = min(middle + 1, int(is_new.sum()), len(self.scores))
        origin = np.concatenate([np.flatnonzero(is_new), np.full(len(self.scores) - dropped, -1)])
        merged = np.concatenate([scores[is_new], self.scores[dropped:]])
        order = merged.argsort(kind="stable")[-self.capacity :]
        self.tasks = np.concatenate([tasks[is_new], self.tasks[dropped:]])[order]
        self.scores = merged[order]
        return _all_but(origin[order], len(scores))

    def _add_mastered(
        self, tasks: Floats, scores: Floats, threshold: float, target: Floats
    ) -> NDArray[np.bool_]:
        new = np.flatnonzero(scores >= threshold)
        if not len(new):
            return np.ones(len(scores), dtype=np.bool_)
        worst = np.flatnonzero(self.scores < threshold)
        keep = np.ones(len(self.scores), dtype=np.bool_)
        keep[worst[self.scores[worst].argsort(kind="stable")][: len(new)]] = False
        origin = np.concatenate([new, np.full(int(keep.sum()), -1)])
        merged_tasks = np.concatenate([tasks[new], self.tasks[keep]])
        merged_scores = np.concatenate([scores[new], self.scores[keep]])
        if not len(worst) and len(self.scores) >= self.capacity:
            costs = ((merged_tasks[:, None] - target) ** 2).sum(axis=2)
            kept = linear_sum_assignment(costs)[0]
        else:
            kept = np.arange(min(len(merged_scores), self.capacity))
        self.tasks, self.scores = merged_tasks[kept], merged_scores[kept]
        return _all_but(origin[kept], len(scores))

    def draw(self, n: int, threshold: float, rng: np.random.Generator) -> Floats:
        """Draw tasks near those of the buffer, with more noise the further those are below the threshold.

        Args:
            n: Number of tasks, at least as many as the buffer holds.
            threshold: Lowest score at which a task counts as mastered.
            rng: Draws them.

        Returns:
            Shape (n, d).
        """
        if self.reached:
            more = rng.integers(len(self.scores), size=n - len(self.scores))
            chosen = np.concatenate([np.arange(len(self.scores)), more])
        else:
            # The better half, those with higher scores more often.
            half = len(self.scores) // 2
            worth = self.scores[half:] - self.scores[max(half - 1, 0)]
            shares = worth / worth.sum() if worth.sum() > 0 else None
            chosen = half + rng.choice(len(worth), size=n, p=shares)
        missing = np.clip(threshold - self.scores[chosen], 0.0, None)
        gap = threshold - self._lowest
        stds = self.least_noise + _LARGEST_NOISE * (missing / gap if gap > 0 else np.zeros(n)).clip(max=1)
        drawn = np.empty((n, self.tasks.shape[1]))
        outside = np.arange(n)
        for _ in range(_REDRAWS + 1):
            noise = rng.standard_normal((len(outside), drawn.shape[1]))
            drawn[outside] = self.tasks[chosen[outside]] + stds[outside, None] * noise
            outside = outside[((drawn[outside] < 0) | (drawn[outside] > 1)).any(axis=1)]
        return drawn.clip(0.0, 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        return {
            "tasks": self.tasks.copy(),
            "scores": self.scores.copy(),
            "reached": self.reached,
            "lowest": self._lowest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self.tasks, self.scores = state["tasks"].copy(), state["scores"].copy()
        self.reached, self._lowest = state["reached"], state["lowest"]


def _all_but(entered: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
    """Which of `n` episodes are not among those that entered, where -1 stands for none."""
    is_out = np.ones(n, dtype=np.bool_)
    is_out[entered[entered >= 0]] = False
    return is_out

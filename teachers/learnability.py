"""Learnability: tasks that the student neither always nor never solves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusGaussian
from .kernel_regression import best_bandwidth, kernel_regression
from .proposal import Proposals
from .teacher import Seed, Teacher

Floats = NDArray[np.float64]

_BANDWIDTHS = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
"""Bandwidths to choose from, in [0, 1]^d."""
_MOST_CANDIDATES, _LONGEST_WINDOW = 100_000, 10_000
"""Limits that keep the memory of an update below a gigabyte."""
_FOCUS_STD = 0.01


class Learnability(Teacher):
    """Sampling for learnability (SFL; Rutherford et al., NeurIPS 2024), without additional rollouts.

    A task on which the student reaches a share p of the highest return has a learnability of p(1 − p). This
    is the variance of the outcome if p is a success rate, and also the score of ProCuRL (Tzannetos et al.,
    2023). Every `episodes_per_update` episodes,

    1. p is estimated for `candidates` tasks drawn uniformly from the space, by a Nadaraya-Watson regression
       of the last `window` scores with a Gaussian kernel in [0, 1]^d;
    2. the `kept` candidates with the highest p(1 − p) become the tasks to draw from.

    The bandwidth of the kernel is the one of 0.02, 0.04, …, 1.28 with the smallest leave-one-out squared
    error in the window. With probability `random_ratio`, and always before the first update, a proposal is
    uniform over the space; otherwise it is a kept task, each with equal probability.

    SFL itself measures p in rollouts on new tasks, with 5 to 10 times as many steps as training. Estimating p
    from the training episodes needs no additional steps, but lags behind the student by up to `window`
    episodes.

    Needs returns on a known scale: scores are clipped to [0, 1]. If the env declares no return range, its
    returns must already lie in [0, 1].

    Known failures: where outcomes stay intermediate whatever the student does (a plateau of 0.5, coin flips),
    learnability stays highest, and such tasks take the whole non-random share. Parameters without effect and
    many dimensions make neighbours rare and p uncertain.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        candidates: Tasks whose learnability is estimated at an update, at most 100,000.
        kept: Number of candidates to draw tasks from until the next update.
        random_ratio: Share of tasks drawn uniformly from the space, in [0, 1].
        window: Number of latest episodes that p is estimated from, from 2 to 10,000.
        episodes_per_update: Episodes between updates, at least 2.
        scales_returns: Whether scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        kept_tasks: The tasks to draw from, in [0, 1]^d, shape (n, d); n is 0 before the first update.
        bandwidth: Bandwidth of the kernel at the last update; 0 before the first.
        episodes: Number of episodes observed.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        candidates: int = 5000,
        kept: int = 100,
        random_ratio: float = 0.5,
        window: int = 500,
        episodes_per_update: int = 50,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        if not 1 <= candidates <= _MOST_CANDIDATES:
            raise ValueError(f"candidates={candidates} must be at least 1 and at most {_MOST_CANDIDATES}")
        if not 1 <= kept <= candidates:
            raise ValueError(f"kept={kept} must be at least 1 and at most candidates={candidates}")
        if not 0 <= random_ratio <= 1:
            raise ValueError(f"random_ratio={random_ratio} must lie in [0, 1]")
        if not 2 <= window <= _LONGEST_WINDOW:
            raise ValueError(f"window={window} must be at least 2 and at most {_LONGEST_WINDOW}")
        if episodes_per_update < 2:
            raise ValueError(f"episodes_per_update={episodes_per_update} must be at least 2")
        self.candidates = candidates
        self.random_ratio = random_ratio
        self.window = window
        self.episodes_per_update = episodes_per_update
        self.scales_returns = scales_returns
        self._kept = kept
        self.kept_tasks: Floats = np.empty((0, space.dim))
        self.bandwidth = 0.0
        self.episodes = 0
        self._learnability = self._mean = 0.0
        self._tasks = np.empty((window, space.dim))
        self._scores = np.empty(window)

    def _propose(self, n: int) -> Proposals:
        if not len(self.kept_tasks):
            return Proposals(self.space.sample(self.rng, n), "random")
        is_random = self.rng.random(n) < self.random_ratio
        places = self.rng.random((n, self.space.dim))
        chosen = self.kept_tasks[self.rng.integers(len(self.kept_tasks), size=n)]
        tasks = self.space.denormalize(np.where(is_random[:, None], places, chosen))
        return Proposals(tasks, np.where(is_random, "random", "learnable"))

    def observe(self, episode: Episode) -> None:
        row = self.episodes % self.window
        self._tasks[row] = self.space.normalize(episode.proposal)
        self._scores[row] = min(max(episode.score, 0.0), 1.0)
        self.episodes += 1
        if self.episodes % self.episodes_per_update == 0:
            self._update()

    def _update(self) -> None:
        known, scores = self._tasks[: self.episodes], self._scores[: self.episodes]
        self.bandwidth = best_bandwidth(known, scores, _BANDWIDTHS)
        tasks = self.rng.random((self.candidates, self.space.dim))
        p = kernel_regression(tasks, known, scores, self.bandwidth)
        learnability = p * (1 - p)
        best = np.argsort(-learnability, kind="stable")[: self._kept]
        self.kept_tasks = tasks[best]
        self._learnability, self._mean = float(learnability[best].mean()), float(p.mean())

    def metrics(self) -> dict[str, float]:
        return {"bandwidth": self.bandwidth, "learnability": self._learnability, "p_mean": self._mean}

    def focus(self) -> list[Focus]:
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        covariance = np.diag((_FOCUS_STD * width) ** 2)
        weight = (1 - self.random_ratio) / max(len(self.kept_tasks), 1)
        return [FocusGaussian(weight, low + width * task, covariance) for task in self.kept_tasks]

    def _state(self) -> dict[str, Any]:
        return {
            "tasks": self._tasks[: self.episodes].copy(),
            "scores": self._scores[: self.episodes].copy(),
            "kept_tasks": self.kept_tasks.copy(),
            "bandwidth": self.bandwidth,
            "episodes": self.episodes,
            "learnability": self._learnability,
            "mean": self._mean,
            "window": self.window,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if state["window"] != self.window:
            raise ValueError(f"window={self.window} must be the stored state's {state['window']}")
        self.episodes = state["episodes"]
        self._tasks[: self.episodes] = state["tasks"]
        self._scores[: self.episodes] = state["scores"]
        self.kept_tasks, self.bandwidth = state["kept_tasks"].copy(), state["bandwidth"]
        self._learnability, self._mean = state["learnability"], state["mean"]

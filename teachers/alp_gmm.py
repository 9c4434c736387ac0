"""ALP-GMM: propose tasks where the student's return changes most."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.task_space import TaskSpace
from teachers.gaussian_mixtures import CRITERIA, Gaussians, fit_best_mixture
from teachers.task_history import TaskHistory
from teachers.teacher import EpisodeResult, Proposal, Seed, Teacher

_FIRST_COMPARED = 6
"""Learning progress counts as 0 until this many tasks are known."""


class ALPGMM(Teacher):
    """Absolute learning progress with Gaussian mixture models (Portelas et al., CoRL 2019, algorithm 1).

    The absolute learning progress (ALP) of an episode is |r - r'|, r' being the return of the nearest task
    played before. Every `fit_rate` episodes a mixture of Gaussians is fitted to the last `fit_rate` rows
    (task, ALP); a task is then drawn from a Gaussian chosen in proportion to its mean ALP. The defaults
    are the paper's.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        fit_rate: Episodes between fits, and rows in each fit; tasks are uniform until the first one.
        random_ratio: Share of tasks drawn uniformly, in [0, 1].
        min_gaussians: Smallest mixture tried.
        max_gaussians: Largest mixture tried.
        criterion: Which of the fitted mixtures is kept: lowest "aic" or "bic".
        n_init: Initialisations of each fit.
        scales_returns: Whether to measure progress on returns scaled to [0, 1] (the paper) or on raw
            ones (TeachMyAgent).

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        fit_rate: int = 250,
        random_ratio: float = 0.2,
        min_gaussians: int = 2,
        max_gaussians: int = 10,
        criterion: str = "aic",
        n_init: int = 1,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        if not 0 <= random_ratio <= 1:
            raise ValueError(f"random_ratio={random_ratio} must lie in [0, 1]")
        if not 1 <= min_gaussians <= max_gaussians:
            raise ValueError(
                f"min_gaussians={min_gaussians} must be at least 1 and at most max_gaussians={max_gaussians}"
            )
        if fit_rate < max_gaussians:
            raise ValueError(f"fit_rate={fit_rate} must be at least max_gaussians={max_gaussians}")
        if criterion not in CRITERIA:
            raise ValueError(f"criterion={criterion!r} must be one of {list(CRITERIA)}")
        if n_init < 1:
            raise ValueError(f"n_init={n_init} must be at least 1")
        self.fit_rate = fit_rate
        self.random_ratio = random_ratio
        self.sizes = range(min_gaussians, max_gaussians + 1)
        self.criterion = criterion
        self.n_init = n_init
        self.scales_returns = scales_returns

        self.gaussians: Gaussians | None = None
        self._history = TaskHistory(space.dim)
        self._recent: deque[NDArray[np.float64]] = deque(maxlen=fit_rate)
        self._failed_fits = 0

    def sample(self) -> Proposal:
        if self.gaussians is None or self.rng.random() < self.random_ratio:
            return Proposal(self.space.sample(self.rng), "random")
        component = int(self.rng.choice(len(self.weights), p=self.weights))
        task = self.gaussians.draw(component, self.space.dim, self.rng)
        return Proposal(self.space.clip(task), f"gaussian_{component}")

    @property
    def weights(self) -> NDArray[np.float64]:
        """Probability of each Gaussian, shape (k,): its share of the mean ALP, or even if there is none."""
        assert self.gaussians is not None
        alp = np.maximum(self.gaussians.means[:, -1], 0.0)
        total = alp.sum()
        return alp / total if total > 0 else np.full(len(alp), 1 / len(alp))

    def observe(self, result: EpisodeResult) -> None:
        alp = 0.0
        if len(self._history) >= _FIRST_COMPARED:
            alp = abs(result.episode_return - self._history.nearest_return(result.task))
        self._history.append(result.task, result.episode_return)
        self._recent.append(np.append(result.task, alp))
        if len(self._history) % self.fit_rate == 0:
            self._fit()

    def _fit(self) -> None:
        rows = np.array(self._recent)
        fitted = fit_best_mixture(rows, self.sizes, self.criterion, self.rng, self.n_init)
        if fitted is not None:
            self.gaussians = fitted
            return
        self._failed_fits += 1
        if self._failed_fits == 1:
            warnings.warn(
                f"ALP-GMM could not fit the last {len(rows)} episodes and keeps its previous Gaussians",
                stacklevel=2,
            )

    def metrics(self) -> dict[str, float]:
        return {
            "alp_mean": float(np.mean([row[-1] for row in self._recent])) if self._recent else 0.0,
            "gaussians": 0 if self.gaussians is None else len(self.gaussians.means),
            "failed_fits": self._failed_fits,
        }

    def _state(self) -> dict[str, Any]:
        gaussians = self.gaussians and {
            "means": self.gaussians.means,
            "covariances": self.gaussians.covariances,
        }
        return {
            "tasks": self._history.tasks,
            "returns": self._history.returns,
            "recent": np.array(self._recent).reshape(-1, self.space.dim + 1),
            "gaussians": gaussians,
            "failed_fits": self._failed_fits,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._history = TaskHistory(self.space.dim)
        self._history.extend(state["tasks"], state["returns"])
        self._recent = deque(state["recent"], maxlen=self.fit_rate)
        gaussians = state["gaussians"]
        self.gaussians = gaussians and Gaussians(gaussians["means"], gaussians["covariances"])
        self._failed_fits = state["failed_fits"]

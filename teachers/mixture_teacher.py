"""Base class of ALP-GMM and Covar-GMM: Gaussians are fitted to recent episodes, and tasks drawn from them."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusGaussian
from .gaussian_mixtures import CRITERIA, FITS, Gaussians
from .proposal import Proposals
from .teacher import Seed, Teacher


class MixtureTeacher(Teacher):
    """Draws tasks from a mixture of Gaussians that is refitted every `fit_rate` episodes.

    Every episode adds one row: the task, followed by numbers that a subclass adds. Every `fit_rate` episodes,
    a mixture is fitted to the last `fit_rate` rows. A subclass computes the worth of each Gaussian, and a
    task is drawn from a Gaussian chosen in proportion to its worth. If a fit fails, or a column of its rows
    does not vary, the previous Gaussians are kept. (The authors' code fits the tasks of such rows anyway, and
    draws from all Gaussians with equal probability.)

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        fit_rate: Episodes between fits, and rows per fit; tasks are uniform before the first fit.
        random_ratio: Share of tasks drawn uniformly, in [0, 1].
        min_gaussians: Smallest mixture tried.
        max_gaussians: Largest mixture tried.
        criterion: The mixture with the lowest "aic" or "bic" is used.
        n_init: Initialisations per fit.
        scales_returns: Whether to learn from returns scaled to [0, 1] (as in the paper) instead of raw
            returns (as in TeachMyAgent).
        fit_with: "chiron" fits the mixtures of all sizes at once; "scikit_learn" fits them one by one with
            its `GaussianMixture`, as the paper's authors do, which takes several times as long.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        episodes: Number of episodes observed.
        gaussians: The Gaussians that tasks are drawn from, over (task, added numbers); None before the
            first fit.
        weights: Probability of each Gaussian, shape (k,): its share of the total worth; equal if the total
            is 0.
    """

    added_numbers: ClassVar[int]
    """How many numbers a subclass adds to the task in each row."""

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
        fit_with: str = "chiron",
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
        if fit_with not in FITS:
            raise ValueError(f"fit_with={fit_with!r} must be one of {list(FITS)}")
        self.fit_rate = fit_rate
        self.random_ratio = random_ratio
        self.sizes = range(min_gaussians, max_gaussians + 1)
        self.criterion = criterion
        self.n_init = n_init
        self.fit_with = fit_with
        self.scales_returns = scales_returns

        self.episodes = 0
        self.gaussians: Gaussians | None = None
        self.weights: NDArray[np.float64] = np.empty(0)
        self._rows = np.empty((fit_rate, space.dim + self.added_numbers))
        self._failed_fits = 0
        self._prepare()

    def _prepare(self) -> None:
        """Initialise the state of a subclass."""

    @abstractmethod
    def _added(self, episode: Episode) -> tuple[float, ...]:
        """The numbers that follow the task in an episode's row."""

    @abstractmethod
    def _worth(self, gaussians: Gaussians) -> NDArray[np.float64]:
        """The worth of each Gaussian, shape (k,); negative values count as 0."""

    def _propose(self, n: int) -> Proposals:
        if self.gaussians is None:
            return Proposals(self.space.sample(self.rng, n), "random")
        is_random = self.rng.random(n) < self.random_ratio
        n_random = int(is_random.sum())
        tasks = np.empty((n, self.space.dim), dtype=np.float32)
        components = np.full(n, -1)
        if n_random:
            tasks[is_random] = self.space.sample(self.rng, n_random)
        if n_random < n:
            drawn = self.rng.random(n - n_random)
            # Rounding may leave the last cumulative weight below the draw.
            chosen = np.minimum(self._cumulative.searchsorted(drawn, side="right"), self._last)
            components[~is_random] = chosen
            tasks[~is_random] = self.space.clip(self.gaussians.draw(chosen, self.space.dim, self.rng))
        return Proposals(tasks, self._sources[components])

    def observe(self, episode: Episode) -> None:
        row = self._rows[self.episodes % self.fit_rate]
        row[: self.space.dim] = episode.proposal
        row[self.space.dim :] = self._added(episode)
        self.episodes += 1
        if self.episodes % self.fit_rate == 0:
            self._fit()

    def _fit(self) -> None:
        fitted = FITS[self.fit_with](self._rows, self.sizes, self.criterion, self.rng, self.n_init)
        if fitted is not None:
            self._draw_from(fitted)
            return
        self._failed_fits += 1
        if self._failed_fits == 1:
            warnings.warn(
                f"{type(self).__name__} could not fit Gaussians to the last {self.fit_rate} episodes (their "
                "tasks or returns do not vary) and continues as before; further failures are only counted",
                stacklevel=3,
            )

    def _draw_from(self, gaussians: Gaussians) -> None:
        worth = np.maximum(self._worth(gaussians), 0.0)
        total = worth.sum()
        self.gaussians = gaussians
        self.weights = worth / total if total > 0 else np.full(len(worth), 1 / len(worth))
        self._cumulative = self.weights.cumsum()
        self._last = np.flatnonzero(self.weights)[-1]
        # The last name is that of component -1.
        self._sources = np.array([*(f"gaussian_{k}" for k in range(len(worth))), "random"])

    def metrics(self) -> dict[str, float]:
        return {
            "gaussians": 0 if self.gaussians is None else len(self.gaussians.means),
            "failed_fits": self._failed_fits,
        }

    def focus(self) -> list[Focus]:
        if self.gaussians is None:
            return []
        dim = self.space.dim
        return [
            FocusGaussian(float(weight), mean[:dim], covariance[:dim, :dim])
            for weight, mean, covariance in zip(
                self.weights, self.gaussians.means, self.gaussians.covariances, strict=True
            )
        ]

    def _state(self) -> dict[str, Any]:
        gaussians = self.gaussians and {
            "means": self.gaussians.means,
            "covariances": self.gaussians.covariances,
        }
        return {
            "fit_rate": self.fit_rate,
            "rows": self._rows[: self.episodes].copy(),
            "episodes": self.episodes,
            "gaussians": gaussians,
            "failed_fits": self._failed_fits,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if state["fit_rate"] != self.fit_rate:
            raise ValueError(f"fit_rate={self.fit_rate} must be the stored state's {state['fit_rate']}")
        self._rows[: len(state["rows"])] = state["rows"]
        self.episodes = state["episodes"]
        self._failed_fits = state["failed_fits"]
        self.gaussians, self.weights = None, np.empty(0)
        if state["gaussians"] is not None:
            self._draw_from(Gaussians(state["gaussians"]["means"], state["gaussians"]["covariances"]))

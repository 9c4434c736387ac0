"""SPDL: a Gaussian over tasks moves towards a target as fast as the student's return allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .constrained_minimum import Valued, constrained_minimum
from .episode import Episode
from .episode_batch import EpisodeBatch
from .focus import Focus, FocusGaussian
from .gaussian_calculus import Divergence, Performance, Target, Whitened, kl_between, pack, unpack
from .proposal import Proposals
from .task_distribution import Description, gaussian_around, task_distribution, uniform_over
from .teacher import Seed, Teacher
from .threshold import Threshold

Floats = NDArray[np.float64]

_SAMPLES = 1000
"""Number of samples that the divergence from the target is estimated from."""
_REDRAWS = 100
"""How often tasks outside the space are redrawn; after that they are uniform."""
_RECOVERY = 0.95
"""An update is skipped if the return is below this share of the threshold both before and after it."""
_MOST_ITERATIONS = 40
_MOST_NUMBERS = 1400
"""Limit of iterations times numbers per Gaussian: an update takes 0.1 s even in 20 dimensions."""
_FARTHEST = 3.0
"""Limit of a new Gaussian's numbers, in square roots of the divergence; few exceed 1.5."""
_TOLERANCE = 1e-3


class SPDL(Teacher):
    """Self-paced deep reinforcement learning, second version (Klink et al., JMLR 2021; code of ICML 2022).

    Tasks are drawn from a Gaussian with a full covariance, which is updated every `episodes_per_update`
    episodes. Until the mean return has once reached the threshold, an update maximises the return estimated
    from these episodes. Afterwards it minimises the distance from the target, the mean of both
    Kullback-Leibler divergences, while the estimated return is at least the threshold. One update changes the
    Gaussian by a divergence of at most `max_kl`. As long as the distance from the target exceeds
    `kl_threshold`, standard deviations stay above `std_lower_bound`.

    Tasks outside the space are redrawn up to 100 times, then drawn uniformly. The optimiser is SLSQP with
    exact gradients, in [0, 1]^d; the authors use trust-constr. Results of tasks drawn from an earlier
    Gaussian are ignored.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: The first Gaussian, in task units: for each parameter {mean, std}. Parameters that are not
            named start in the middle of their range, with a quarter of it as standard deviation.
        target: Target distribution: for each parameter {mean, std}, a number or [low, high]; or a list of
            these, of equal weight. A uniform distribution counts as the Gaussian with the same mean and
            standard deviation; for a number, the latter is `least_target_std` of the range. Parameters that
            are not named (all if None) are uniform over their range.
        threshold: Mean return to keep; None uses the env's mastered return.
        max_kl: Largest divergence between successive Gaussians.
        std_lower_bound: Smallest standard deviation far from the target, as a share of each range.
        kl_threshold: Distance from the target above which the lower bound applies.
        episodes_per_update: Episodes between updates.
        scales_returns: Whether threshold and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        mean: Mean of the Gaussian, in [0, 1]^d, shape (d,).
        factor: Cholesky factor of its covariance, shape (d, d).
        updates: Number of updates that changed the Gaussian.
    """

    least_target_std = 1e-3

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        target: Description = None,
        threshold: float | None = None,
        max_kl: float = 0.25,
        std_lower_bound: float = 0.025,
        kl_threshold: float = 8000.0,
        episodes_per_update: int = 40,
        scales_returns: bool = False,
    ) -> None:
        super().__init__(space, seed)
        if max_kl <= 0:
            raise ValueError(f"max_kl={max_kl} must be above 0")
        if not 0 < std_lower_bound < 1:
            raise ValueError(f"std_lower_bound={std_lower_bound} must lie between 0 and 1")
        if episodes_per_update < 2:
            raise ValueError(f"episodes_per_update={episodes_per_update} must be at least 2")
        self.max_kl = max_kl
        self.std_lower_bound = std_lower_bound
        self.kl_threshold = kl_threshold
        self.episodes_per_update = episodes_per_update
        self.scales_returns = scales_returns
        width = space.high.astype(np.float64) - space.low
        middle = space.low + width / 2
        start = task_distribution(initial, gaussian_around(middle, width / 4, space), "initial", ["gaussian"])
        kinds = ["uniform", "gaussian", "mixture"]
        goal = task_distribution(target, uniform_over(space.low, space.high, space), "target", kinds)
        means, stds = goal.moments()
        stds = np.maximum(stds / width, self.least_target_std)
        self._target = Target(space.normalize(means), stds)
        (mean,), (std,) = start.moments()
        self.mean = space.normalize(mean)
        self.factor: Floats = np.diag(std / width)
        self._threshold: Threshold = Threshold(threshold)
        self._reached = False
        self.updates = 0
        self._failed_updates = 0
        self._batch = EpisodeBatch(space, episodes_per_update)

    def _propose(self, n: int) -> Proposals:
        # One column per task: NumPy is several times as fast over long rows.
        tasks = self._draw(n)
        outside = np.flatnonzero(_is_outside(tasks))
        for _ in range(_REDRAWS):
            if not len(outside):
                break
            tasks[:, outside] = again = self._draw(len(outside))
            outside = outside[_is_outside(again)]
        tasks[:, outside] = self.rng.random((self.space.dim, len(outside)))
        return Proposals(self.space.denormalize(tasks.T), "gaussian", {"update": np.full(n, self.updates)})

    def _draw(self, n: int) -> Floats:
        """Draw from the Gaussian, shape (d, n)."""
        noise = self.rng.standard_normal((self.space.dim, n))
        drawn: Floats = self.mean[:, None] + self.factor @ noise
        return drawn

    def observe(self, episode: Episode) -> None:
        threshold = self._threshold.of(episode)
        if episode.ticket.get("update", self.updates) != self.updates:
            return
        full = self._batch.add(episode.proposal, episode.score)
        if full is not None:
            self._update(*full, threshold)

    def _update(self, tasks: Floats, scores: Floats, threshold: float) -> None:
        # In coordinates in which the Gaussian is standard normal, the numbers of a new one are of the order
        # of the square root of its divergence.
        dim = self.space.dim
        view = Whitened(self._target, self.mean, self.factor)
        old = pack(np.zeros(dim), np.eye(dim))
        performance = Performance(old, view.points(tasks), scores)
        divergence = Divergence(old, view, self.rng, _SAMPLES)

        def step(x: Floats) -> tuple[float, Floats]:
            kl, gradient = kl_between(old, x)
            return self.max_kl - kl, -gradient

        def surplus(x: Floats) -> tuple[float, Floats]:
            score, gradient = performance(x)
            return score - threshold, gradient

        def loss(x: Floats) -> tuple[float, Floats]:
            score, gradient = performance(x)
            return -score, -gradient

        self._reached = self._reached or float(scores.mean()) >= threshold
        objective: Valued = divergence if self._reached else loss
        farthest = np.full(len(old), _FARTHEST * np.sqrt(self.max_kl))
        lowest = -farthest
        if divergence(old)[0] > self.kl_threshold:
            smallest = np.log(self.std_lower_bound / np.diag(self.factor))
            lowest[dim : 2 * dim] = np.maximum(-farthest[:dim], smallest)
        margins = [step, surplus] if self._reached else [step]
        iterations = min(_MOST_ITERATIONS, _MOST_NUMBERS // len(old))
        new = constrained_minimum(objective, old, margins, (lowest, np.maximum(farthest, lowest)), iterations)
        new = _within(step, old, new)
        least = threshold - (1 - _RECOVERY) * abs(threshold)
        before, after = performance(old)[0], performance(new)[0]
        # If the threshold was missed, getting back to it counts more than approaching the target.
        is_better = objective(new)[0] < objective(old)[0] or (self._reached and before < least)
        has_score = not self._reached or max(before, after) >= least
        if is_better and has_score:
            shift, change = unpack(new)
            self.mean, self.factor = self.mean + self.factor @ shift, self.factor @ change
            self.updates += 1
        else:
            self._failed_updates += 1

    def metrics(self) -> dict[str, float]:
        mean, covariance = self._in_task_units()
        columns = self.space.columns
        return {
            "updates": self.updates,
            "failed_updates": self._failed_updates,
            **{f"mean_{c}": float(m) for c, m in zip(columns, mean, strict=True)},
            **{f"std_{c}": float(v) ** 0.5 for c, v in zip(columns, np.diag(covariance), strict=True)},
        }

    def focus(self) -> list[Focus]:
        return [FocusGaussian(1.0, *self._in_task_units())]

    def _in_task_units(self) -> tuple[Floats, Floats]:
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        factor = width[:, None] * self.factor
        return low + width * self.mean, factor @ factor.T

    def _state(self) -> dict[str, Any]:
        return {
            "mean": self.mean.copy(),
            "factor": self.factor.copy(),
            "batch": self._batch.state_dict(),
            "reached": self._reached,
            "updates": self.updates,
            "failed_updates": self._failed_updates,
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.mean, self.factor = state["mean"].copy(), state["factor"].copy()
        self._batch.load_state_dict(state["batch"])
        self._reached = state["reached"]
        self.updates, self._failed_updates = state["updates"], state["failed_updates"]
        self._threshold.load_state_dict(state["threshold"])


def _within(margin: Valued, start: Floats, end: Floats) -> Floats:
    """A point between start and end with a margin of at least 0: the step shrinks by a tenth until then."""
    share = 1.0
    while margin(start + share * (end - start))[0] < -_TOLERANCE:
        share *= 0.9
    return start + share * (end - start)


def _is_outside(tasks: Floats) -> NDArray[np.bool_]:
    """Which tasks, shape (d, n), are not in [0, 1]^d."""
    return np.asarray(((tasks < 0) | (tasks > 1)).any(axis=0))

"""DORAEMON: the widest distribution over tasks on which the student still succeeds often enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, digamma, ndtr, polygamma

from ..envs.task_space import TaskSpace
from .constrained_minimum import Valued, constrained_minimum
from .episode import Episode
from .episode_batch import EpisodeBatch
from .focus import Focus, FocusGaussian
from .proposal import Proposals
from .task_distribution import Description, gaussian_around, task_distribution
from .teacher import Seed, Teacher
from .threshold import Threshold

Floats = NDArray[np.float64]

_START = 100.0
"""Initial a = b of the Beta distributions, by default."""
_ROOM = 10.0
"""How far a and b may grow above their initial values."""
_TOLERANCE = 1e-4
"""Allowed violation of the constraints."""
_EDGE = 1e-9
_ITERATIONS = 60
_KNOTS = np.linspace(-6, 6, 769)
"""Where quantile functions are tabulated, in standard deviations of a normal distribution."""


class DORAEMON(Teacher):
    """Domain randomization via entropy maximization (Tiboni et al., ICLR 2024).

    Each number of a task has an independent Beta distribution over its range. Every `episodes_per_update`
    episodes, the distribution is replaced by the one with the largest entropy on which the student would
    still succeed with probability `success_rate`, as estimated by importance sampling from these episodes,
    and whose Kullback-Leibler divergence from the previous one is at most `max_kl`. If the student succeeds
    less often, its success probability is maximised first. Nothing changes until the student's success rate
    has reached `success_rate` once.

    Results of tasks drawn from an earlier distribution are ignored.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: First distribution, in task units: for each parameter {mean, std} of its Beta distribution.
            Parameters that are not named start with a = b = 100, in the middle of their range.
        success_rate: Success probability to keep, in (0, 1).
        max_kl: Largest divergence between successive distributions.
        episodes_per_update: Episodes between updates (the authors: 100,000 steps, 200 episodes of 500).
        threshold: Lowest score that counts as a success; None uses the env's mastered return.
        scales_returns: Whether threshold and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        a: First parameter of each Beta distribution, shape (d,).
        b: Second parameter, shape (d,).
        updates: Number of updates that changed the distribution.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        success_rate: float = 0.5,
        max_kl: float = 0.1,
        episodes_per_update: int = 200,
        threshold: float | None = None,
        scales_returns: bool = False,
    ) -> None:
        super().__init__(space, seed)
        if not 0 < success_rate < 1:
            raise ValueError(f"success_rate={success_rate} must lie between 0 and 1")
        if max_kl <= 0:
            raise ValueError(f"max_kl={max_kl} must be above 0")
        if episodes_per_update < 1:
            raise ValueError(f"episodes_per_update={episodes_per_update} must be at least 1")
        self.success_rate = success_rate
        self.max_kl = max_kl
        self.episodes_per_update = episodes_per_update
        self.scales_returns = scales_returns
        self.a, self.b = _start(space, initial)
        self._quantiles = _Quantiles(self.a, self.b)
        self._most = np.concatenate([self.a, self.b]) + _ROOM
        self._threshold: Threshold = Threshold(threshold)
        self._started = False
        self.updates = 0
        self._success = 0.0
        self._batch = EpisodeBatch(space, episodes_per_update)

    def _propose(self, n: int) -> Proposals:
        tasks = self.space.denormalize(self._quantiles.draw(n, self.rng))
        return Proposals(tasks, "beta", {"update": np.full(n, self.updates)})

    def observe(self, episode: Episode) -> None:
        threshold = self._threshold.of(episode)
        if episode.ticket.get("update", self.updates) != self.updates:
            return
        full = self._batch.add(episode.proposal, float(episode.score >= threshold))
        if full is not None:
            self._update(*full)

    def _update(self, tasks: Floats, successes: Floats) -> None:
        tasks = np.clip(tasks, _EDGE, 1 - _EDGE)
        self._success = float(successes.mean())
        self._started = self._started or self._success >= self.success_rate
        if not self._started:
            return
        problem = _Problem(np.concatenate([self.a, self.b]), self._most, tasks, successes, self.max_kl)
        start = problem.old
        if self._success < self.success_rate:
            start = problem.most_success()
        if problem.success(start)[0] >= self.success_rate - _TOLERANCE:
            start = problem.most_entropy(start, self.success_rate)
        self._adopt(*np.split(start, 2))
        self.updates += 1

    def _adopt(self, a: Floats, b: Floats) -> None:
        self.a, self.b = a, b
        self._quantiles = _Quantiles(a, b)

    def metrics(self) -> dict[str, float]:
        _, std = self._moments()
        entropy = float(_entropy(np.concatenate([self.a, self.b]))[0])
        names = (f"std_{column}" for column in self.space.columns)
        return {
            "entropy": entropy,
            "success": self._success,
            "updates": self.updates,
            **dict(zip(names, std.tolist(), strict=True)),
        }

    def focus(self) -> list[Focus]:
        mean, std = self._moments()
        return [FocusGaussian(1.0, mean, np.diag(std**2))]

    def _moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation in task units, shapes (d,)."""
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        total = self.a + self.b
        std: Floats = np.sqrt(self.a * self.b / (total + 1)) / total
        return low + width * self.a / total, width * std

    def _state(self) -> dict[str, Any]:
        return {
            "a": self.a.copy(),
            "b": self.b.copy(),
            "batch": self._batch.state_dict(),
            "started": self._started,
            "updates": self.updates,
            "success": self._success,
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._adopt(state["a"].copy(), state["b"].copy())
        self._batch.load_state_dict(state["batch"])
        self._started, self.updates, self._success = state["started"], state["updates"], state["success"]
        self._threshold.load_state_dict(state["threshold"])


class _Quantiles:
    """Draws from Beta distributions by interpolating their quantile functions at random places.

    NumPy's own sampler takes up to ten times as long, most of all for the uniform distribution.

    Args:
        a: First parameters, shape (d,).
        b: Second parameters, shape (d,).
    """

    def __init__(self, a: Floats, b: Floats) -> None:
        # Tabulated over standard normal numbers, since the tails are steep in probabilities.
        below = ndtr(_KNOTS[_KNOTS <= 0])
        low = betaincinv(a[:, None], b[:, None], below)
        high = 1 - betaincinv(b[:, None], a[:, None], below)
        self._values = np.concatenate([low, high[:, -2::-1]], axis=1).ravel()
        self._rises = np.diff(self._values, append=1.0)
        self._first = len(_KNOTS) * np.arange(len(a))

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n points of [0, 1]^d, shape (n, d)."""
        places = (rng.standard_normal((n, len(self._first))) - _KNOTS[0]) / (_KNOTS[1] - _KNOTS[0])
        places = np.clip(places, 0, len(_KNOTS) - 1 - _EDGE)
        knots = places.astype(np.intp)
        places -= knots
        knots += self._first
        drawn: Floats = self._values[knots] + places * self._rises[knots]
        return drawn


class _Problem:
    """The optimisation problem of one update.

    A distribution is (a, b), shape (2d,). Functions of it return a value and its gradient.

    Args:
        old: The current distribution.
        most: Upper bounds of a and b.
        tasks: Tasks drawn from it, in [0, 1]^d, shape (n, d).
        successes: 1 where the student succeeded, shape (n,).
        max_kl: Largest divergence of a new distribution from it.
    """

    def __init__(self, old: Floats, most: Floats, tasks: Floats, successes: Floats, max_kl: float) -> None:
        self.old = old
        self._most = most
        self._logs = np.concatenate([np.log(tasks), np.log1p(-tasks)], axis=1)
        self._successes = successes
        self._max_kl = max_kl

    def success(self, new: Floats) -> tuple[float, Floats]:
        """Estimated success probability on a distribution."""
        logs = self._logs @ (new - self.old) + _log_normaliser(self.old)[0] - _log_normaliser(new)[0]
        weighted = np.exp(np.minimum(logs, 50.0)) * self._successes / len(logs)
        return float(weighted.sum()), weighted @ (self._logs - _log_normaliser(new)[1])

    def divergence(self, new: Floats) -> tuple[float, Floats]:
        """Divergence of the old distribution from a new one, KL(old | new)."""
        expected = _log_normaliser(self.old)[1]
        normaliser, gradient = _log_normaliser(new)
        kl = (self.old - new) @ expected + normaliser - _log_normaliser(self.old)[0]
        return float(kl), gradient - expected

    def most_success(self) -> Floats:
        """The distribution with the largest success probability within `max_kl`."""
        return self._solve(self.old, lambda x: _negative(self.success(x)), [])

    def most_entropy(self, start: Floats, success_rate: float) -> Floats:
        """The distribution with the largest entropy within `max_kl` that keeps the success rate."""

        def margin(x: Floats) -> tuple[float, Floats]:
            value, gradient = self.success(x)
            return value - success_rate, gradient

        return self._solve(start, lambda x: _negative(_entropy(x)), [margin])

    def _solve(self, start: Floats, objective: Valued, margins: list[Valued]) -> Floats:
        """Minimise over the logarithms of a and b; returns the start if no better feasible point is found."""

        def slack(x: Floats) -> tuple[float, Floats]:
            value, gradient = self.divergence(x)
            return self._max_kl - value, -gradient

        bounds = np.zeros(len(start)), np.log(self._most)
        margins = [slack, *margins]
        of_logs = [_of_logs(margin) for margin in margins]
        new = np.exp(constrained_minimum(_of_logs(objective), np.log(start), of_logs, bounds, _ITERATIONS))
        is_allowed = all(margin(new)[0] >= -_TOLERANCE for margin in margins)
        return new if is_allowed and objective(new)[0] < objective(start)[0] else start


def _of_logs(function: Valued) -> Valued:
    """The same function, of the logarithms of its arguments."""

    def function_of_logs(z: Floats) -> tuple[float, Floats]:
        x = np.exp(z)
        value, gradient = function(x)
        return value, gradient * x

    return function_of_logs


def _log_normaliser(x: Floats) -> tuple[float, Floats]:
    """Sum of log B(a, b), whose gradient is the expectation of (log task, log(1 - task))."""
    a, b = np.split(x, 2)
    both = digamma(a + b)
    return float(betaln(a, b).sum()), np.concatenate([digamma(a) - both, digamma(b) - both])


def _entropy(x: Floats) -> tuple[float, Floats]:
    """Differential entropy over [0, 1]^d, nats; 0 for the uniform distribution, less for all others."""
    normaliser, expected = _log_normaliser(x)
    a, b = np.split(x, 2)
    shared = polygamma(1, a + b) * (a + b - 2)
    own = np.concatenate([(a - 1) * polygamma(1, a), (b - 1) * polygamma(1, b)])
    return normaliser - float((x - 1) @ expected), np.tile(shared, 2) - own


def _negative(valued: tuple[float, Floats]) -> tuple[float, Floats]:
    return -valued[0], -valued[1]


def _start(space: TaskSpace, initial: Description) -> tuple[Floats, Floats]:
    """Parameters a and b of the first distribution, shapes (d,)."""
    width = space.high.astype(np.float64) - space.low
    middle = space.denormalize(np.full(space.dim, 0.5))
    otherwise = gaussian_around(middle, width * 0.5 / np.sqrt(2 * _START + 1), space)
    (mean,), (std,) = task_distribution(initial, otherwise, "initial", ["gaussian"]).moments()
    share = np.clip(space.normalize(mean), _EDGE, 1 - _EDGE)
    total = share * (1 - share) / (std / width) ** 2 - 1
    a, b = share * total, (1 - share) * total
    if not ((a >= 1) & (b >= 1)).all():
        column = space.columns[int(np.flatnonzero((a < 1) | (b < 1))[0])]
        raise ValueError(
            f"initial.{column} must be a Beta distribution with a and b of at least 1: a mean farther inside "
            "of the range, or a smaller std"
        )
    return a, b

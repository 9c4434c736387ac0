"""Headway: tasks that are neither solved nor hopeless, where practice makes a difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusGaussian
from .proposal import Proposals
from .teacher import Seed, Teacher

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_NARROWEST, _WIDEST = 0.08, 2.56
"""Limits of the bandwidths; with the widest, an episode's weight falls by only 7% across the range."""
_PRIOR_CHANGE = 0.5
"""Prior standard deviation of the change over `visits` visits."""
_MOST_CANDIDATES, _LONGEST_MEMORY = 10_000, 10_000
"""Limits that keep the memory of an update below a gigabyte."""
_COMPARED = 1000
"""Number of latest episodes that bandwidths are fitted to."""
_FEWEST_COMPARED = 10
_LEAST_ERROR = 1e-6
"""Lower bound of the squared error, which is 0 for constant scores, to avoid a division by zero."""
_FOCUSES = 100
"""Number of tasks that `focus` returns, those with the largest weights."""
_FOCUS_STD = 0.01


class Headway(Teacher):
    """Learnability or, where practice changes nothing, the expected gain per visit; Chiron's own teacher.

    A past episode on task x_i counts as k_i = exp(-Σ_j (x_j - x_ij)² / 2h_j²) visits to a task x in [0, 1]^d.
    For each task, a linear regression of the scores of its last `visits` visits on the number of visits since
    then estimates the student's current level p and the change b of that level over `visits` visits, with
    posterior N(b, e²) for a prior N(0, 0.5²). Every `episodes_per_update` episodes, `candidates` tasks are
    drawn, and each is proposed until the next update with probability

        π = q m + (1 - Σ q m) g
        q ∝ (4 p (1 - p))^sharpness
        m = P(|b| > least_change)
        g ∝ 4 p (1 - p) E[max(b, 0)]^sharpness,  E[max(b, 0)] = b Φ(b/e) + e φ(b/e)

    q is learnability, highest for tasks that are neither solved nor hopeless. It finds the frontier fast, but
    never leaves a task that stays half solved. Each task's share is therefore multiplied by m, the
    probability that its level changes, up or down; m is high where too few visits are known to tell. The rest
    goes to the tasks with the largest expected gain from visits, g. Counting visits instead of time makes b
    independent of how often a task is proposed.

    Half of the candidates are uniform; half are drawn from the previous candidates and moved by Gaussian
    noise with the bandwidths, since in many dimensions a frontier is a small part of the space. At an update,
    the bandwidth h_j of each parameter is halved or doubled if this lowers the leave-one-out error on the
    latest uniform episodes; for a parameter without effect it grows until the kernel ignores the parameter. A
    share `random_ratio` of the tasks, and all tasks before the first update, are uniform over the space.

    Needs returns on a known scale: scores are clipped to [0, 1]. If the env declares no return range, its
    returns must already lie in [0, 1].

    Known failures: if practice on one task changes the student's level on others, b is uncertain; for some
    thousand visits, coin flips look as if they might change. A task that is always completed for three
    quarters of the best return counts as three quarters learned, and harder ones are preferred: short-legged
    walkers keep a poor gait. Results: docs/studies/headway/README.md.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        candidates: Number of tasks that are compared at an update, from 2 to 10,000.
        random_ratio: Share of tasks drawn uniformly from the space, in [0, 1].
        sharpness: How strongly intermediate levels and high gains are preferred, above 0.
        visits: Number of latest visits that a task is judged by, above 0.
        least_change: Smaller changes over `visits` visits count as no change; 0 for learnability alone.
        memory: Number of latest episodes stored, from 2 to 10,000.
        episodes_per_update: Episodes between updates, at least 1.
        scales_returns: Whether scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        places: The candidates, in [0, 1]^d, shape (n, d); n is 0 before the first update.
        weights: Probability of each candidate, shape (n,).
        bandwidths: Bandwidths of the kernel, shape (d,).
        episodes: Number of episodes observed.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        candidates: int = 400,
        random_ratio: float = 0.2,
        sharpness: float = 4.0,
        visits: float = 60.0,
        least_change: float = 0.1,
        memory: int = 2000,
        episodes_per_update: int = 40,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        if not 2 <= candidates <= _MOST_CANDIDATES:
            raise ValueError(f"candidates={candidates} must be at least 2 and at most {_MOST_CANDIDATES}")
        if not 0 <= random_ratio <= 1:
            raise ValueError(f"random_ratio={random_ratio} must lie in [0, 1]")
        for name, value in (("sharpness", sharpness), ("visits", visits)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name}={value} must be above 0 and finite")
        if not 0 <= least_change < np.inf:
            raise ValueError(f"least_change={least_change} must be at least 0 and finite")
        if not 2 <= memory <= _LONGEST_MEMORY:
            raise ValueError(f"memory={memory} must be at least 2 and at most {_LONGEST_MEMORY}")
        if episodes_per_update < 1:
            raise ValueError(f"episodes_per_update={episodes_per_update} must be at least 1")
        self.candidates = candidates
        self.random_ratio = random_ratio
        self.sharpness = sharpness
        self.visits = visits
        self.least_change = least_change
        self.memory = memory
        self.episodes_per_update = episodes_per_update
        self.scales_returns = scales_returns
        self.places: Floats = np.empty((0, space.dim))
        self.weights: Floats = np.empty(0)
        self.bandwidths: Floats = np.full(space.dim, 0.16)
        self.episodes = 0
        self._error = 0.1
        self._moving = 1.0
        self._tasks: Singles = np.empty((memory, space.dim), np.float32)
        self._scores: Singles = np.empty(memory, np.float32)
        self._is_random = np.empty(memory, bool)

    def _propose(self, n: int) -> Proposals:
        if not len(self.places):
            return Proposals(self.space.sample(self.rng, n), "random")
        is_random = self.rng.random(n) < self.random_ratio
        uniform = self.rng.random((n, self.space.dim))
        tasks = self.space.denormalize(np.where(is_random[:, None], uniform, self._drawn(n)))
        return Proposals(tasks, np.where(is_random, "random", "headway"))

    def _drawn(self, n: int) -> Floats:
        return self.places[self.rng.choice(len(self.places), size=n, p=self.weights)]

    def observe(self, episode: Episode) -> None:
        row = self.episodes % self.memory
        self._tasks[row] = self.space.normalize(episode.proposal)
        self._scores[row] = min(max(episode.score, 0.0), 1.0)
        self._is_random[row] = episode.source == "random"
        self.episodes += 1
        if self.episodes % self.episodes_per_update == 0:
            self._update()

    def _update(self) -> None:
        newest = (self.episodes - 1 - np.arange(min(self.episodes, self.memory))) % self.memory
        tasks, scores = self._tasks[newest], self._scores[newest]
        at = np.flatnonzero(self._is_random[newest[:_COMPARED]])
        if len(at) >= _FEWEST_COMPARED:
            self._choose_bandwidths(tasks[:_COMPARED], scores[:_COMPARED], at)
        places = self._candidates()
        level, change, error = self._judged(places, tasks, scores)
        self.places, self.weights = places, self._weighed(level, change, error)

    def _candidates(self) -> Floats:
        places = self.rng.random((self.candidates, self.space.dim))
        if len(self.places):
            moved = self._drawn(self.candidates // 2)
            moved += np.minimum(self.bandwidths, 0.5) * self.rng.standard_normal(moved.shape)
            places[: len(moved)] = np.abs((moved + 1) % 2 - 1)  # Reflected at the faces of the cube.
        return places

    def _weighed(self, level: Floats, change: Floats, error: Floats) -> Floats:
        learnability = 4 * level * (1 - level)
        learnable = _shares(learnability**self.sharpness)
        if self.least_change:
            learnable *= ndtr((change - self.least_change) / error) + ndtr(
                (-change - self.least_change) / error
            )
        self._moving = float(learnable.sum())
        ratio = change / error
        gain = change * ndtr(ratio) + error * np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        gaining = _shares(learnability * np.maximum(gain, 0) ** self.sharpness)
        return _shares(learnable + (1 - self._moving) * gaining)

    def _judged(self, places: Floats, tasks: Singles, scores: Singles) -> tuple[Floats, Floats, Floats]:
        """Level, its change over `visits` visits, and the change's standard error, each of shape (n,).

        Args:
            places: Shape (n, d).
            tasks: Tasks of the episodes, newest first, shape (m, d).
            scores: Their scores, shape (m,).
        """
        scale = np.sqrt(0.5) / self.bandwidths
        ours, theirs = (places * scale).astype(np.float32), (tasks * scale).astype(np.float32)
        kernel = 2 * ours @ theirs.T
        kernel -= (ours**2).sum(axis=1)[:, None]
        kernel -= (theirs**2).sum(axis=1)
        np.exp(np.minimum(kernel, 0, out=kernel), out=kernel)
        ago = np.cumsum(kernel, axis=1)
        kernel *= ago - kernel < self.visits
        ago /= self.visits
        aged = kernel * ago
        center = scores[:_COMPARED].mean()
        y = scores - center
        columns = np.stack([np.ones_like(y), y, y * y], axis=1)
        visits, total, squares = (kernel @ columns).astype(np.float64).T
        age, aged_total = (aged @ columns[:, :2]).astype(np.float64).T
        age_squares = np.einsum("ij,ij->i", aged, ago).astype(np.float64)

        known = np.maximum(visits, 1e-9)
        when = age / known
        spread = np.maximum(age_squares - age * when, 0)
        variance = (np.maximum(squares - total**2 / known, 0) + 2 * max(self._error, _LEAST_ERROR)) / (
            visits + 2
        )
        ridge = spread + variance / _PRIOR_CHANGE**2
        change = (total * when - aged_total) / ridge
        level = center + total / (visits + 1) + change * when
        return np.clip(level, 0, 1), change, np.sqrt(variance / ridge)

    def _choose_bandwidths(self, tasks: Singles, scores: Singles, at: NDArray[np.int64]) -> None:
        gaps = [np.float32(0.5) * (x[at, None] - x) ** 2 for x in tasks.T]
        distances = np.zeros_like(gaps[0])
        for gap, bandwidth in zip(gaps, self.bandwidths, strict=True):
            distances += gap / np.float32(bandwidth**2)
        self._error = _left_out_error(distances, scores, at)
        for j, gap in enumerate(gaps):
            for bandwidth in (self.bandwidths[j] / 2, self.bandwidths[j] * 2):
                if not _NARROWEST <= bandwidth <= _WIDEST:
                    continue
                changed = distances + gap * np.float32(bandwidth**-2 - self.bandwidths[j] ** -2)
                error = _left_out_error(changed, scores, at)
                if error < self._error:
                    self._error, distances, self.bandwidths[j] = error, changed, bandwidth
                    break

    def metrics(self) -> dict[str, float]:
        bandwidths = {
            f"bandwidth/{column}": float(bandwidth)
            for column, bandwidth in zip(self.space.columns, self.bandwidths, strict=True)
        }
        return {"error": self._error, "moving": self._moving, **bandwidths}

    def focus(self) -> list[Focus]:
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        covariance = np.diag((_FOCUS_STD * width) ** 2)
        shown = np.argsort(-self.weights, kind="stable")[:_FOCUSES]
        share = (1 - self.random_ratio) / max(float(self.weights[shown].sum()), 1e-12)
        return [
            FocusGaussian(share * float(self.weights[i]), low + width * self.places[i], covariance)
            for i in shown
        ]

    def _state(self) -> dict[str, Any]:
        known = min(self.episodes, self.memory)
        return {
            "tasks": self._tasks[:known].copy(),
            "scores": self._scores[:known].copy(),
            "is_random": self._is_random[:known].copy(),
            "places": self.places.copy(),
            "weights": self.weights.copy(),
            "bandwidths": self.bandwidths.copy(),
            "episodes": self.episodes,
            "error": self._error,
            "moving": self._moving,
            "memory": self.memory,
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if state["memory"] != self.memory:
            raise ValueError(f"memory={self.memory} must be the stored state's {state['memory']}")
        self.episodes = state["episodes"]
        known = min(self.episodes, self.memory)
        self._tasks[:known], self._scores[:known] = state["tasks"], state["scores"]
        self._is_random[:known] = state["is_random"]
        self.places, self.weights = state["places"].copy(), state["weights"].copy()
        self.bandwidths = state["bandwidths"].copy()
        self._error, self._moving = state["error"], state["moving"]


def _shares(worth: Floats) -> Floats:
    """Probabilities in proportion to worth; equal if the total is 0."""
    total = worth.sum()
    return worth / total if total > 0 else np.full(len(worth), 1 / len(worth))


def _left_out_error(distances: Singles, scores: Singles, at: NDArray[np.int64]) -> float:
    """Mean squared error of the scores at some rows, each estimated from all other rows.

    Args:
        distances: Half the squared distance, in bandwidths, from these rows to all rows, shape (n, m).
        scores: Shape (m,).
        at: The rows, shape (n,).
    """
    weights = distances.copy()
    weights[np.arange(len(at)), at] = np.inf
    weights -= weights.min(axis=1, keepdims=True)
    np.exp(-weights, out=weights)
    estimates = weights @ scores / weights.sum(axis=1)
    return float(((estimates - scores[at]) ** 2).mean())

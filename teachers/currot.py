"""CURROT: particles move from easy tasks to a target distribution, through tasks the student masters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..envs.task_space import TaskSpace
from .episode import Episode
from .episode_batch import EpisodeBatch
from .focus import Focus, FocusGaussian
from .kernel_regression import kernel_regression
from .proposal import Proposals
from .success_buffer import SuccessBuffer
from .task_distribution import Description, task_distribution, uniform_over
from .teacher import Seed, Teacher
from .threshold import Threshold

Floats = NDArray[np.float64]

_PROJECTIONS = 100
_CANDIDATES = 100
_SAMPLING_NOISE = 1e-3
"""Largest offset of a task from its particle, as a share of each range."""
_LENGTH_SCALE = 0.3
"""Bandwidth of the score estimate, as a share of the largest move."""
_FOCUS_STD = 0.01


class CURROT(Teacher):
    """Curriculum RL via constrained optimal transport (Klink et al., ICML 2022; its sampling form).

    Tasks are drawn around `particles` points. Every `episodes_per_update` episodes,

    1. the episodes with the highest scores go into a buffer of successes, the others into one of failures;
       once the median score of the successes is above the threshold, only episodes that reach it enter, and
       those nearest to samples of the target are kept;
    2. the score of any task is estimated from both buffers by Nadaraya-Watson regression;
    3. particles with an estimate below the threshold are replaced by successes;
    4. every particle moves towards the target, along the gradient of the sliced Wasserstein distance, as
       far as `epsilon` and the threshold allow: of 100 random points nearby, those with an estimate above
       the threshold are candidates, and the one nearest to where the gradient leads is chosen (without
       candidates, the point with the highest estimate).

    Distances are Euclidean in [0, 1]^d.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: Where particles start, in task units: for each parameter a number, [low, high] or
            {mean, std}. Parameters that are not named are uniform over their range.
        target: Target distribution, in the same form, or a list of these, of equal weight; the whole task
            space if None.
        threshold: Lowest score at which a task counts as mastered; None uses the env's mastered return.
        epsilon: Largest move of a particle in one update, as a share of the diagonal of [0, 1]^d.
        particles: Number of particles.
        episodes_per_update: Episodes between updates, fewer than `particles`.
        scales_returns: Whether threshold and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        particles: The particles, in [0, 1]^d, shape (n, d).
        updates: Number of updates.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        target: Description = None,
        threshold: float | None = None,
        epsilon: float = 0.05,
        particles: int = 100,
        episodes_per_update: int = 20,
        scales_returns: bool = False,
    ) -> None:
        super().__init__(space, seed)
        if epsilon <= 0:
            raise ValueError(f"epsilon={epsilon} must be above 0")
        if particles < 2:
            raise ValueError(f"particles={particles} must be at least 2")
        if not 1 <= episodes_per_update < particles:
            raise ValueError(
                f"episodes_per_update={episodes_per_update} must be at least 1 and below "
                f"particles={particles}"
            )
        everywhere = uniform_over(space.low, space.high, space)
        kinds = ["uniform", "gaussian", "mixture"]
        start = task_distribution(initial, everywhere, "initial", kinds)
        self._target = task_distribution(target, everywhere, "target", kinds)
        self._reach = epsilon * float(np.sqrt(space.dim))
        self.episodes_per_update = episodes_per_update
        self.scales_returns = scales_returns
        self.particles = space.normalize(start.sample(self.rng, particles))
        self._successes = SuccessBuffer(space.dim, particles, 0.005 * self._reach)
        self._failed_tasks = np.empty((0, space.dim))
        self._failed_scores = np.empty(0)
        self._threshold: Threshold = Threshold(threshold)
        self._batch = EpisodeBatch(space, episodes_per_update)
        self.updates = 0

    def _propose(self, n: int) -> Proposals:
        chosen = self.particles[self.rng.integers(len(self.particles), size=n)]
        noise = _SAMPLING_NOISE * self.rng.uniform(-1, 1, (n, self.space.dim))
        return Proposals(self.space.denormalize(chosen + noise), "particle")

    def observe(self, episode: Episode) -> None:
        threshold = self._threshold.of(episode)
        full = self._batch.add(episode.proposal, episode.score)
        if full is not None:
            self._update(*full, threshold)

    def _update(self, tasks: Floats, scores: Floats, threshold: float) -> None:
        count = len(self.particles)
        failed = self._successes.add(tasks, scores, threshold, self._draw_target(count))
        self._failed_tasks = np.concatenate([self._failed_tasks, tasks[failed]])[-count:]
        self._failed_scores = np.concatenate([self._failed_scores, scores[failed]])[-count:]
        replacements = self._successes.draw(count, threshold, self.rng)
        starts, is_good = self._replaced(replacements, threshold)
        aims = starts + sliced_transport(starts, self._draw_target(count), _PROJECTIONS, self.rng)
        candidates = self._candidates(starts, aims, is_good)
        estimates = self._estimate(candidates.reshape(-1, self.space.dim)).reshape(count, -1)
        distances = np.linalg.norm(candidates - aims[:, None], axis=2)
        distances[estimates <= threshold] = np.inf
        is_possible = np.isfinite(distances).any(axis=1)
        best = np.where(is_possible, distances.argmin(axis=1), estimates.argmax(axis=1))
        self.particles = candidates[np.arange(count), best]
        self.updates += 1

    def _draw_target(self, n: int) -> Floats:
        return self.space.normalize(self._target.sample(self.rng, n))

    def _estimate(self, tasks: Floats) -> Floats:
        """Estimated scores of tasks in [0, 1]^d, shape (n, d); shape (n,)."""
        known = np.concatenate([self._successes.tasks, self._failed_tasks])
        scores = np.concatenate([self._successes.scores, self._failed_scores])
        return kernel_regression(tasks, known, scores, _LENGTH_SCALE * self._reach)

    def _replaced(self, successes: Floats, threshold: float) -> tuple[Floats, NDArray[np.bool_]]:
        """Particles, with those below the threshold replaced by successes, and which are now above it."""
        particles = self.particles.copy()
        is_good = self._estimate(particles) >= threshold
        bad = np.flatnonzero(~is_good)
        if len(bad):
            is_valid = self._estimate(successes) >= threshold
            if is_valid.sum() >= len(bad):
                successes, is_valid = successes[is_valid], is_valid[is_valid]
            costs = ((successes - particles[bad][:, None]) ** 2).sum(axis=2)
            rows, columns = linear_sum_assignment(costs)
            particles[bad[rows]] = successes[columns]
            is_good[bad[rows]] = is_valid[columns]
        return particles, is_good

    def _candidates(self, starts: Floats, aims: Floats, is_good: NDArray[np.bool_]) -> Floats:
        """Points around each particle, shape (n, candidates, d).

        They lie in a ball no larger than the distance to its aim, or, if the particle is above the threshold,
        in the half of this ball that faces the aim.
        """
        directions = aims - starts
        lengths = np.linalg.norm(directions, axis=1)
        units = directions / np.maximum(lengths, 1e-12)[:, None]
        noise = self.rng.standard_normal((_CANDIDATES, self.space.dim))
        radii = self.rng.random((_CANDIDATES, 1)) ** (1 / self.space.dim)
        noise *= radii / np.linalg.norm(noise, axis=1, keepdims=True)
        along = np.where(is_good[:, None], np.minimum(units @ noise.T, 0.0), 0.0)
        offsets = noise - 2 * along[..., None] * units[:, None]
        reach = np.minimum(self._reach, lengths)
        candidates: Floats = starts[:, None] + reach[:, None, None] * offsets
        return candidates.clip(0.0, 1.0)

    def metrics(self) -> dict[str, float]:
        tasks = self.space.low + self.particles * (self.space.high.astype(np.float64) - self.space.low)
        columns = self.space.columns
        return {
            "updates": self.updates,
            "successes": len(self._successes.tasks),
            "threshold_reached": float(self._successes.reached),
            **{f"mean_{c}": float(m) for c, m in zip(columns, tasks.mean(axis=0), strict=True)},
            **{f"std_{c}": float(s) for c, s in zip(columns, tasks.std(axis=0), strict=True)},
        }

    def focus(self) -> list[Focus]:
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        covariance = np.diag((_FOCUS_STD * width) ** 2)
        weight = 1 / len(self.particles)
        return [FocusGaussian(weight, low + width * particle, covariance) for particle in self.particles]

    def _state(self) -> dict[str, Any]:
        return {
            "particles": self.particles.copy(),
            "successes": self._successes.state_dict(),
            "failed_tasks": self._failed_tasks.copy(),
            "failed_scores": self._failed_scores.copy(),
            "batch": self._batch.state_dict(),
            "updates": self.updates,
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if len(state["particles"]) != len(self.particles):
            raise ValueError(
                f"particles={len(self.particles)} must be the stored state's {len(state['particles'])}"
            )
        self.particles = state["particles"].copy()
        self._successes.load_state_dict(state["successes"])
        self._failed_tasks, self._failed_scores = state["failed_tasks"].copy(), state["failed_scores"].copy()
        self._batch.load_state_dict(state["batch"])
        self.updates = state["updates"]
        self._threshold.load_state_dict(state["threshold"])


def sliced_transport(source: Floats, target: Floats, projections: int, rng: np.random.Generator) -> Floats:
    """Displacements of source points towards a target, along the gradient of the sliced Wasserstein distance.

    Args:
        source: Shape (n, d).
        target: Shape (n, d).
        projections: Number of random directions.
        rng: Draws them.

    Returns:
        The mean, over directions, of the displacements that match source and target in sorted order;
        shape (n, d).
    """
    directions = rng.standard_normal((projections, source.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    places, wanted = directions @ source.T, np.sort(directions @ target.T, axis=1)
    ranks = places.argsort(axis=1).argsort(axis=1)
    ways = np.take_along_axis(wanted, ranks, axis=1) - places
    return ways.T @ directions / projections

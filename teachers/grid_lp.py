"""Grid: bins of the task space, drawn by learning progress or unlocked where the student succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusBox
from .proposal import Proposals
from .task_distribution import Description, task_distribution, uniform_over
from .teacher import Seed, Teacher
from .threshold import Threshold

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_MOST_BINS = 1000
"""Most bins of one grid; beyond it, each number of a task has its own grid."""
_LEAST_TEMPERATURE = 1e-6
_GAIN = 0.2
"""Added to the weights of a bin and of its neighbours by a success."""


class GridLP(Teacher):
    """Bins of the task space, with learning progress (LP-ACRL, 2026) or growth (Margolis et al., RSS 2022).

    The range of each number of a task is cut into `bins` equal parts. If this makes at most 1,000 bins in
    total (up to 3 dimensions with 10 parts each), they form one grid. Otherwise every number has its own bins
    and is drawn independently of the others, like the box adaptive curriculum of Margolis et al. A task is
    uniform in its bin.

    `rule="progress"`, LP-ACRL (arXiv 2601.17428): the progress of a bin is its mean score in this stage minus
    its mean score in the last stage in which it had episodes (signed); 0 if it had none in this stage or none
    before. A stage has `episodes_per_bin` times as many episodes as a grid has bins; after it, bins are drawn
    with probability softmax(progress / temperature). A share `random_ratio` of the tasks, and all tasks of
    the first two stages, are uniform over the space. (The paper does not specify temperature, stages and
    empty bins; 0.05 and 15% are those of a replication.)

    `rule="growth"`, the grid adaptive curriculum of Margolis et al. (*Rapid locomotion via reinforcement
    learning*): bins are drawn in proportion to their weights, which start at 1 for bins with `initial` tasks
    and at 0 for others. An episode with a score of at least `threshold` adds 0.2 to the weight of its bin and
    of all neighbours, including diagonal ones, up to 1. Weights never decrease.

    Known failures: the progress of bins with few episodes is mostly noise, so noisy returns and many bins
    make `progress` uniform; separate bins per number ignore that an easy value of one may need a certain
    value of another. `growth` expands only where its threshold is reached, never drops mastered tasks, and
    cannot jump over bins that are too hard.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        rule: "progress" or "growth".
        bins: Parts that the range of each number of a task is cut into, from 1 to 1,000.
        episodes_per_bin: With `progress`, the episodes of a stage per bin of a grid, at least 1.
        temperature: With `progress`, the additional progress that makes a bin e times as probable, in units
            of the score, at least 1e-6.
        random_ratio: With `progress`, the share of tasks drawn uniformly from the space, in [0, 1].
        initial: With `growth`, the first tasks, in task units: for each parameter a number or [low, high].
            Parameters that are not named start at their easy end; all of them, if None.
        threshold: With `growth`, the lowest score that is a success; None uses the env's mastered return.
        scales_returns: Whether scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        weights: Weights of the bins, not normalised, shape (grids, bins); with `progress`, the softmax.
        progress: Progress of the bins in the last stage, shape (grids, bins).
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        rule: Literal["progress", "growth"] = "progress",
        bins: int = 10,
        episodes_per_bin: int = 3,
        temperature: float = 0.05,
        random_ratio: float = 0.15,
        initial: Description = None,
        threshold: float | None = None,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        if rule not in ("progress", "growth"):
            raise ValueError(f"rule={rule!r} must be 'progress' or 'growth'")
        if not 1 <= bins <= _MOST_BINS:
            raise ValueError(f"bins={bins} must be at least 1 and at most {_MOST_BINS}")
        if episodes_per_bin < 1:
            raise ValueError(f"episodes_per_bin={episodes_per_bin} must be at least 1")
        if not temperature >= _LEAST_TEMPERATURE:
            raise ValueError(f"temperature={temperature} must be at least {_LEAST_TEMPERATURE}")
        if not 0 <= random_ratio <= 1:
            raise ValueError(f"random_ratio={random_ratio} must lie in [0, 1]")
        self.rule = rule
        self.bins = bins
        self.temperature = temperature
        self.random_ratio = random_ratio if rule == "progress" else 0.0
        self.scales_returns = scales_returns
        self._threshold: Threshold = Threshold(threshold)
        is_joint = float(bins) ** space.dim <= _MOST_BINS
        self._shape = (bins,) * (space.dim if is_joint else 1)
        size = (1 if is_joint else space.dim, int(np.prod(self._shape)))
        start = self._start(initial)
        self.weights = start if rule == "growth" else np.ones(size)
        self.progress = np.zeros(size)
        self._known = np.full(size, np.nan)
        self._sums, self._counts = np.zeros(size), np.zeros(size)
        self._stage = episodes_per_bin * size[1]
        self._episodes = 0

    def _start(self, initial: Description) -> Floats:
        """Weights of 1 for every bin that contains initial tasks."""
        parameters = self.space.parameters
        easy = np.concatenate([p.box_low if p.easy == "low" else p.box_high for p in parameters])
        box = task_distribution(initial, uniform_over(easy, easy, self.space), "initial", ["uniform"])
        parts = np.arange(self.bins)
        first, last = (self._parts(corner[0])[:, None] for corner in (box.low, box.high))
        is_in = ((parts >= first) & (parts <= last)).astype(np.float64)
        if len(self._shape) == 1:
            return is_in
        weights = np.ones(1)
        for row in is_in:
            weights = np.multiply.outer(weights, row).ravel()
        return weights[None]

    def _parts(self, tasks: Any) -> Indices:
        """Index of the part that contains each number of tasks, shape (…, d)."""
        parts = (self.space.normalize(tasks) * self.bins).astype(np.intp)
        return parts.clip(0, self.bins - 1)

    def _propose(self, n: int) -> Proposals:
        dim = self.space.dim
        drawn = self.rng.random((n, len(self.weights)))
        cumulative = self.weights.cumsum(axis=1)
        parts = np.empty((n, dim), dtype=np.intp)
        for grid, (sums, numbers) in enumerate(zip(cumulative, drawn.T, strict=True)):
            cells = np.searchsorted(sums, numbers * sums[-1], side="right").clip(max=len(sums) - 1)
            columns = slice(None) if len(self.weights) == 1 else slice(grid, grid + 1)
            parts[:, columns] = np.stack(np.unravel_index(cells, self._shape), axis=1)
        is_random = self.rng.random(n) < self.random_ratio
        places = self.rng.random((n, dim))
        tasks = np.where(is_random[:, None], places, (parts + places) / self.bins)
        return Proposals(self.space.denormalize(tasks), np.where(is_random, "random", "bin"))

    def check_threshold(self, mastered_score: float | None) -> None:
        if self.rule == "growth":
            super().check_threshold(mastered_score)

    def observe(self, episode: Episode) -> None:
        parts = self._parts(episode.proposal)
        if self.rule == "growth":
            if episode.score >= self._threshold.of(episode):
                self._grow(parts)
            return
        places = self.bins ** np.arange(len(self._shape))[::-1]
        cells = parts.reshape(len(self.weights), -1) @ places
        grids = np.arange(len(cells))
        self._sums[grids, cells] += episode.score
        self._counts[grids, cells] += 1
        self._episodes += 1
        if self._episodes % self._stage == 0:
            self._end_stage()

    def _grow(self, parts: Indices) -> None:
        for weights, cell in zip(self.weights, parts.reshape(len(self.weights), -1), strict=True):
            near = weights.reshape(self._shape)[tuple(slice(max(i - 1, 0), i + 2) for i in cell.tolist())]
            near += _GAIN
            np.minimum(near, 1.0, out=near)

    def _end_stage(self) -> None:
        means = np.divide(
            self._sums, self._counts, out=np.full_like(self._sums, np.nan), where=self._counts > 0
        )
        self.progress = np.nan_to_num(means - self._known)
        self._known = np.where(np.isnan(means), self._known, means)
        exponents = self.progress / self.temperature
        self.weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        self._sums[:], self._counts[:] = 0, 0

    @property
    def _shares(self) -> Floats:
        """Probability of each bin, within its grid."""
        shares: Floats = self.weights / self.weights.sum(axis=1, keepdims=True)
        return shares

    def metrics(self) -> dict[str, float]:
        # The number of equally probable bins that would be as concentrated.
        effective = 1 / (self._shares**2).sum(axis=1)
        return {"effective_bins": float(effective.mean()), "progress_max": float(self.progress.max())}

    def focus(self) -> list[Focus]:
        """The bins that are more probable than the average."""
        low, width = self.space.low.astype(np.float64), self.space.high.astype(np.float64) - self.space.low
        boxes: list[Focus] = []
        for grid, shares in enumerate(self._shares):
            columns = slice(None) if len(self.weights) == 1 else slice(grid, grid + 1)
            for cell in np.flatnonzero(shares > 1 / len(shares)):
                first, last = np.zeros(self.space.dim), np.ones(self.space.dim)
                first[columns] = np.array(np.unravel_index(cell, self._shape)) / self.bins
                last[columns] = first[columns] + 1 / self.bins
                weight = (1 - self.random_ratio) * float(shares[cell]) / len(self.weights)
                boxes.append(FocusBox(weight, low + width * first, low + width * last))
        return boxes

    def _state(self) -> dict[str, Any]:
        return {
            "weights": self.weights.copy(),
            "progress": self.progress.copy(),
            "known": self._known.copy(),
            "sums": self._sums.copy(),
            "counts": self._counts.copy(),
            "episodes": self._episodes,
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if state["weights"].shape != self.weights.shape:
            raise ValueError(
                f"bins={self.bins} make {self.weights.size} bins, which must be the stored state's "
                f"{state['weights'].size}"
            )
        self.weights, self.progress = state["weights"].copy(), state["progress"].copy()
        self._known = state["known"].copy()
        self._sums, self._counts = state["sums"].copy(), state["counts"].copy()
        self._episodes = state["episodes"]
        self._threshold.load_state_dict(state["threshold"])

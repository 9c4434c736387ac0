"""RIAC: splits the task space by learning progress, and proposes tasks from regions where it is high."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusBox
from .proposal import Proposals
from .region_tree import RegionTree, learning_progress
from .teacher import Seed, Teacher

Floats = NDArray[np.float64]

SPLIT_SCORES = ("population", "authors")

_REGION_SHARE = 0.7
_RANDOM_SHARE = 0.2
"""Shares of proposals drawn from a region and from the whole space; the rest are mutations."""

_MUTATION_SPREAD = 0.1
"""Standard deviation of a mutation, in task units."""

_MARGIN = 1e-5
"""How far inside its region a mutated task stays, in task units."""

_REDRAWS = 20
"""How often a split that leaves too few episodes on one side is drawn again."""


class RIAC(Teacher):
    """Robust intelligent adaptive curiosity (Baranes and Oudeyer, 2009; as in Portelas et al., CoRL 2019).

    The task space is split into a binary tree of boxes (regions). Each region stores its latest episodes; its
    absolute learning progress (ALP) is the absolute difference between the mean returns of the older and the
    newer half of them. A full leaf is split where the ALP of the two parts differs most. A task is drawn
    uniformly from a region chosen in proportion to its ALP (70%), uniformly from the whole space (20%), or
    near the task with the lowest return of a region chosen in proportion to its ALP (10%). All regions of
    the tree can be chosen, not only the leaves. The defaults are the CoRL 2019 paper's.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        max_region_size: Episodes a leaf may store; with one more it is split.
        split_attempts: Number of random splits tried, of which the best one is used.
        split_score: Score of a split: "population" is the difference in ALP times the product of the numbers
            of episodes on both sides, "authors" is the difference alone.
        min_side_ratio: Smallest side of a region, as a share of the space's range.
        min_population_ratio: Smallest number of episodes on each side of a split, as a share of
            `max_region_size`.
        window: Number of latest episodes that a region's ALP is computed from; None means `max_region_size`.
        discard_ratio: Share of `max_region_size` that a leaf drops, oldest first, if no split is possible.
        scales_returns: Whether to learn from returns scaled to [0, 1] (as in the paper) instead of raw
            returns (as in TeachMyAgent).

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        regions: The tree of regions.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        max_region_size: int = 200,
        split_attempts: int = 50,
        split_score: str = "population",
        min_side_ratio: float = 1 / 15,
        min_population_ratio: float = 1 / 20,
        window: int | None = None,
        discard_ratio: float = 0.25,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        window = max_region_size if window is None else window
        if max_region_size < 4:
            raise ValueError(f"max_region_size={max_region_size} must be at least 4")
        if split_attempts < 1:
            raise ValueError(f"split_attempts={split_attempts} must be at least 1")
        if split_score not in SPLIT_SCORES:
            raise ValueError(f"split_score={split_score!r} must be one of {list(SPLIT_SCORES)}")
        if not 2 <= window <= max_region_size:
            raise ValueError(
                f"window={window} must be at least 2 and at most max_region_size={max_region_size}"
            )
        for name, ratio in (
            ("min_side_ratio", min_side_ratio),
            ("min_population_ratio", min_population_ratio),
        ):
            if not 0 <= ratio <= 0.5:
                raise ValueError(f"{name}={ratio} must lie in [0, 0.5]")
        if not 1 / max_region_size <= discard_ratio <= 1:
            raise ValueError(f"discard_ratio={discard_ratio} must lie in [1/max_region_size, 1]")
        self.split_attempts = split_attempts
        self.split_score = split_score
        self.min_population = max(1.0, min_population_ratio * max_region_size)
        self.min_sides = min_side_ratio * (space.high.astype(np.float64) - space.low)
        self.discarded = int(discard_ratio * max_region_size)
        self.scales_returns = scales_returns
        self.regions = RegionTree(space.low, space.high, max_region_size + 1, window)
        self._failed_splits = 0

    def _propose(self, n: int) -> Proposals:
        modes = self.rng.random(n)
        tasks = np.empty((n, self.space.dim), dtype=np.float32)
        is_random = modes < _RANDOM_SHARE
        tasks[is_random] = self.space.sample(self.rng, int(is_random.sum()))
        regions = np.zeros(n, dtype=np.intp)
        regions[~is_random] = self._promising_regions(n - int(is_random.sum()))
        low, high = self.regions.low[regions], self.regions.high[regions]
        is_mutated = (modes >= _RANDOM_SHARE + _REGION_SHARE) & (self.regions.counts[regions] > 0)
        is_uniform = ~is_random & ~is_mutated
        # The authors' code uses generators that are never seeded; here all draws come from `self.rng`.
        places = self.rng.random((int(is_uniform.sum()), self.space.dim))
        tasks[is_uniform] = self.space.clip(low[is_uniform] + places * (high - low)[is_uniform])
        low, high = low[is_mutated], high[is_mutated]
        margin = np.minimum(_MARGIN, (high - low) / 2)
        noise = self.rng.standard_normal((len(low), self.space.dim))
        mutated = self._worst_tasks(regions[is_mutated]) + _MUTATION_SPREAD * noise
        tasks[is_mutated] = self.space.clip(np.clip(mutated, low + margin, high - margin))
        kinds = np.select([is_random, is_uniform], ["random", "region_"], "mutation_")
        return Proposals(tasks, np.where(is_random, kinds, np.char.add(kinds, regions.astype(np.str_))))

    def _promising_regions(self, n: int) -> NDArray[np.intp]:
        """Regions drawn in proportion to their progress, shape (n,)."""
        cumulative = self.regions.alp.cumsum()
        if cumulative[-1] <= 0:
            return self.rng.integers(len(cumulative), size=n)
        regions: NDArray[np.intp] = np.searchsorted(cumulative, self.rng.random(n) * cumulative[-1], "right")
        return regions

    def _worst_tasks(self, regions: NDArray[np.intp]) -> NDArray[np.float32]:
        """The task with the lowest return in each region, shape (n, d)."""
        unique, inverse = np.unique(regions, return_inverse=True)
        worst = np.empty((len(unique), self.space.dim), dtype=np.float32)
        for i, region in enumerate(unique.tolist()):
            tasks, returns = self.regions.episodes(region)
            worst[i] = tasks[returns.argmin()]
        return worst[inverse]

    def observe(self, episode: Episode) -> None:
        leaf = self.regions.add(episode.proposal, episode.score)
        if self.regions.counts[leaf] == self.regions.capacity:
            self._split(leaf)

    def _split(self, leaf: int) -> None:
        tasks, returns = self.regions.episodes(leaf)
        dims, thresholds = self._draw_cuts(leaf, tasks)
        if len(dims):
            # The last of equally good cuts, as in the authors' code.
            is_lower = tasks[:, dims] <= thresholds
            scores = self._scores(is_lower.T, returns)[::-1]
            best = len(scores) - 1 - int(scores.argmax())
            self.regions.split(leaf, int(dims[best]), float(thresholds[best]))
        else:
            self._failed_splits += 1
            self.regions.forget(leaf, self.discarded)

    def _draw_cuts(self, leaf: int, tasks: NDArray[np.float32]) -> tuple[NDArray[np.int64], Floats]:
        """Random cuts of a leaf with enough episodes and enough room on both sides.

        Returns:
            Dimension and position of each cut, each of shape (m,); m may be 0.
        """
        low, high = self.regions.low[leaf], self.regions.high[leaf]
        if (high - low < 2 * self.min_sides).all():
            return np.empty(0, dtype=np.int64), np.empty(0)
        dims = np.empty(self.split_attempts, dtype=np.int64)
        thresholds = np.empty(self.split_attempts)
        missing = np.arange(self.split_attempts)
        # The authors draw until both sides have enough, which never ends if all tasks are equal.
        for _ in range(_REDRAWS):
            drawn = self.rng.integers(self.space.dim, size=len(missing))
            dims[missing] = drawn
            thresholds[missing] = low[drawn] + self.rng.random(len(missing)) * (high - low)[drawn]
            below = (tasks[:, drawn] <= thresholds[missing]).sum(axis=0)
            missing = missing[np.minimum(below, len(tasks) - below) < self.min_population]
            if not len(missing):
                break
        sides = np.minimum(thresholds - low[dims], high[dims] - thresholds)
        is_valid = sides >= self.min_sides[dims]
        is_valid[missing] = False
        return dims[is_valid], thresholds[is_valid]

    def _scores(self, is_lower: NDArray[np.bool_], returns: Floats) -> Floats:
        """Scores of cuts, given which of a leaf's episodes (m, n), oldest first, go to the lower part."""
        progress, counts = [], []
        for side in (is_lower, ~is_lower):
            count = side.sum(axis=1)
            # The age of an episode is the number of later ones on its side.
            ages = np.where(side, count[:, None] - side.cumsum(axis=1), len(returns))
            progress.append(learning_progress(returns[None], ages, count, self.regions.window))
            counts.append(count)
        difference = np.abs(progress[0] - progress[1])
        # The authors' code takes len() of pairs of lists, which is always 2, for these numbers: cuts that
        # split off a handful of episodes, whose progress is mostly noise, then win.
        return difference * counts[0] * counts[1] if self.split_score == "population" else difference

    def metrics(self) -> dict[str, float]:
        return {
            "alp_mean": float(self.regions.alp[self.regions.leaves].mean()),
            "regions": len(self.regions.leaves),
            "failed_splits": self._failed_splits,
        }

    def focus(self) -> list[Focus]:
        alp = self.regions.alp
        total = alp.sum()
        shares = alp / total if total > 0 else np.full(len(alp), 1 / len(alp))
        return [
            FocusBox(float(shares[leaf]), self.regions.low[leaf], self.regions.high[leaf])
            for leaf in self.regions.leaves
        ]

    def _state(self) -> dict[str, Any]:
        return {"regions": self.regions.state_dict(), "failed_splits": self._failed_splits}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.regions.load_state_dict(state["regions"])
        self._failed_splits = state["failed_splits"]

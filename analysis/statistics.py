"""Statistics of a condition from a few seeds, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""Confidence level of all intervals."""

FEWEST_SEEDS_OF_AN_INTERVAL = 3
"""With fewer seeds, intervals are computed and stored, but not shown, as they are not informative."""

_RESAMPLES = 5_000
_BATCH = 500
"""Resamples held in memory at once."""
_CUT = 0.25
"""Share that the interquartile mean trims at each end."""

Interval = tuple[float, float]
"""Lower and upper end; both NaN if there is a single value, whose spread is unknown."""


def mean_and_sd(scores: ArrayLike) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1) of the scores of independent runs.

    Args:
        scores: Scores, shape (n,). The standard deviation of one score is NaN.
    """
    values = np.asarray(scores, np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def plus_minus(mean: float, sd: float | None, digits: int) -> str:
    """`mean ± sd` as text, or the mean alone if the spread is unknown (None or NaN)."""
    spread = "" if sd is None or math.isnan(sd) else f" ± {sd:.{digits}f}"
    return f"{mean:.{digits}f}{spread}"


def with_interval(value: float, low: float | None, high: float | None, digits: int) -> str:
    """`value [low, high]` as text, or the value alone if the ends are unknown (None, NaN) or equal."""
    if low is None or high is None or not low < high:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def mean_margin(sd: ArrayLike, seeds: ArrayLike) -> NDArray[np.float64]:
    """Half the width of Student's 95% confidence interval of a mean.

    Args:
        sd: Sample standard deviations, any shape.
        seeds: Number of values behind each, of the same shape; the result is NaN where it is 1.
    """
    n = np.asarray(seeds, np.float64)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, np.where(n > 1, n - 1, np.nan))
    return np.asarray(quantile * np.asarray(sd) / np.sqrt(n))


def interquartile_mean(scores: Any, axis: int = -1) -> Any:
    """Mean of the scores after trimming a quarter of them at each end.

    The number trimmed is rounded down, so that fewer than four scores are all kept. Agarwal et al. 2021,
    "Deep Reinforcement Learning at the Edge of the Statistical Precipice".

    Args:
        scores: An array with one axis over runs.
        axis: That axis.
    """
    return stats.trim_mean(scores, _CUT, axis=axis)


def bootstrap_interval(
    statistic: Callable[..., Any], strata: Sequence[ArrayLike], rng: np.random.Generator
) -> Interval:
    """The 95% stratified bootstrap interval of a statistic: each stratum is resampled separately.

    The percentiles are moved outwards by as much as Student's quantiles exceed the normal ones, following the
    expanded interval of Hesterberg 2015, "What Teachers Should Know About the Bootstrap"; its second factor
    is omitted, since it makes intervals of interquartile means too wide. With five seeds, plain percentiles
    cover the true value in 90% of studies, these in 93%; with ten, in 94% and 97%; with three, no percentiles
    can do so in more than 75%.

    Args:
        statistic: Takes one array per stratum and `axis`, the axis over runs.
        strata: One array of scores each, shape (n,), such as the runs in one env or of one condition.
        rng: Draws the resamples.

    Returns:
        The interval; NaN if any stratum has fewer than two scores.
    """
    samples = [np.asarray(stratum, np.float64) for stratum in strata]
    if min(len(sample) for sample in samples) < 2:
        return float("nan"), float("nan")
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        confidence_level=1 - 2 * students_tail(min(len(sample) for sample in samples)),
        method="percentile",
        rng=rng,
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def students_tail(size: int) -> float:
    """The share to cut off at each end of a bootstrap distribution, for samples of this size or more."""
    return float(stats.norm.cdf(stats.t.ppf((1 - CONFIDENCE) / 2, size - 1)))


def interquartile_mean_interval(strata: Sequence[ArrayLike], rng: np.random.Generator) -> Interval:
    """The stratified bootstrap interval of the interquartile mean over all strata.

    Args:
        strata: One array of scores each, shape (n,).
        rng: Draws the resamples.
    """

    def pooled(*samples: Any, axis: int = -1) -> Any:
        return interquartile_mean(np.concatenate(samples, axis), axis)

    return bootstrap_interval(pooled, strata, rng)


def mean_curve_interval(
    curves: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pointwise 95% bootstrap interval of a mean curve; runs are resampled whole.

    Args:
        curves: One curve per run, shape (n, points).
        rng: Draws the resamples.

    Returns:
        Lower and upper end, each of shape (points,); NaN if there are fewer than two curves.
    """
    n, points = curves.shape
    if n < 2:
        return np.full(points, np.nan), np.full(points, np.nan)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES) / n
    tail = students_tail(n)
    low, high = np.quantile(weights @ curves, [tail, 1 - tail], axis=0)
    return low, high


def worst_tasks_mean(returns: ArrayLike, again: ArrayLike, share: float = 0.1) -> float:
    """Conditional value at risk over tasks: the mean return on the worst share of them.

    The worst tasks are chosen by one evaluation and judged by another. A single evaluation for both would
    choose tasks that had bad luck, and give too low a value.

    Args:
        returns: Returns of the evaluation that chooses, one per task, shape (m,).
        again: Returns of the evaluation that judges, shape (m,); `returns` itself if there is no other.
        share: Share of the tasks, in (0, 1]; at least one task is used.
    """
    chosen = np.argsort(np.asarray(returns, np.float64), kind="stable")
    count = max(1, round(share * len(chosen)))
    return float(np.asarray(again, np.float64)[chosen[:count]].mean())

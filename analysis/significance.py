"""Tests whether one condition is better than another, or only luckier."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .statistics import Interval, bootstrap_interval

SIGNIFICANCE_LEVEL = 0.05


def welch_p_value(scores: ArrayLike, others: ArrayLike) -> float:
    """Two-sided p value of Welch's t-test: do the means differ, whatever the variances?

    Args:
        scores: Scores of one condition's runs, shape (n,).
        others: Scores of the other condition's runs, shape (m,).

    Returns:
        The p value; NaN if the test is undefined: fewer than two runs on a side, or no spread on either.
    """
    a, b = np.asarray(scores, np.float64), np.asarray(others, np.float64)
    if min(len(a), len(b)) < 2 or np.ptp(a) == np.ptp(b) == 0:
        return float("nan")
    # From the moments: one side without any spread is valid here, but scipy would warn of it.
    return float(
        stats.ttest_ind_from_stats(
            a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b), equal_var=False
        ).pvalue
    )


def probability_of_improvement(scores: ArrayLike, others: ArrayLike) -> float:
    """The probability that a run of one condition beats one of the other; ties count half.

    Mann and Whitney's U divided by the number of pairs; Agarwal et al. 2021.

    Args:
        scores: Scores of one condition's runs, shape (n,).
        others: Scores of the other condition's runs, shape (m,).
    """
    a, b = np.asarray(scores, np.float64), np.asarray(others, np.float64)
    return float(_share_of_wins(a, b))


def probability_of_improvement_interval(
    scores: ArrayLike, others: ArrayLike, rng: np.random.Generator
) -> Interval:
    """The 95% bootstrap interval of the probability of improvement; each side is resampled separately.

    Args:
        scores: Scores of one condition's runs, shape (n,).
        others: Scores of the other condition's runs, shape (m,).
        rng: Draws the resamples.
    """
    return bootstrap_interval(_share_of_wins, [scores, others], rng)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p values for multiple testing (Holm 1979).

    The smallest of m p values is multiplied by m, the next by m - 1, and so on; none becomes smaller than the
    one before it, or greater than 1. Rejecting at 5% then limits the family-wise error rate to 5%.

    Args:
        p_values: p values, shape (m,); NaN, for a test that could not be made, stays and does not count.
    """
    given = np.asarray(p_values, np.float64)
    corrected = np.full(given.shape, np.nan)
    made = np.flatnonzero(~np.isnan(given))
    order = made[np.argsort(given[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1)
    return corrected


def _share_of_wins(a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    a, b = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    difference = a[..., :, None] - b[..., None, :]
    return np.asarray((np.sign(difference).mean((-2, -1)) + 1) / 2)

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from chiron.analysis.statistics import (
    bootstrap_interval,
    interquartile_mean,
    interquartile_mean_interval,
    mean_and_sd,
    mean_curve_interval,
    mean_margin,
    students_tail,
    worst_tasks_mean,
)
from chiron.evaluation.metrics import area_under_curve
from numpy.typing import NDArray
from scipy import stats

Draw = Callable[[np.random.Generator, int], list[NDArray[np.float64]]]


def test_spread_is_that_of_a_sample() -> None:
    assert mean_and_sd([10, 20, 60]) == pytest.approx((30, np.sqrt((400 + 100 + 900) / 2)))


def test_one_score_has_no_spread() -> None:
    mean, sd = mean_and_sd([7])
    assert mean == 7
    assert np.isnan(sd)
    assert np.isnan(mean_margin(sd, 1))


def test_margin_is_students() -> None:
    low, high = stats.t.interval(0.95, 2, loc=30, scale=stats.sem([10, 20, 60]))
    assert mean_margin(mean_and_sd([10, 20, 60])[1], 3) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(
    ("scores", "mean"),
    [([1, 2, 3], 2), ([0, 4, 6, 100], 5), ([0, 1, 2, 3, 4, 5, 6, 700], 3.5), (range(20), 9.5)],
)
def test_interquartile_mean(scores: list[float], mean: float) -> None:
    assert interquartile_mean(np.array(scores)) == mean


class TestBootstrap:
    def test_wide_samples_have_the_interval_of_the_normal_distribution(self) -> None:
        """For many scores the bootstrap of a mean is the central limit theorem."""
        rng = np.random.default_rng(0)
        scores = rng.normal(50, 10, 400)
        low, high = bootstrap_interval(np.mean, [scores], rng)
        margin = mean_margin(scores.std(ddof=1), 400)
        assert low == pytest.approx(scores.mean() - margin, abs=0.1)
        assert high == pytest.approx(scores.mean() + margin, abs=0.1)

    def test_strata_are_resampled_each_on_its_own(self) -> None:
        """Without spread within strata there is none in any resample, however far apart the strata are."""
        strata = [np.full(4, 10.0), np.full(4, 90.0)]
        assert interquartile_mean_interval(strata, np.random.default_rng(0)) == (50, 50)
        low, high = interquartile_mean_interval([np.concatenate(strata)], np.random.default_rng(0))
        assert low < 30 < 70 < high

    def test_the_same_generator_gives_the_same_interval(self) -> None:
        first, again, other = (
            interquartile_mean_interval([np.arange(20.0) ** 2], np.random.default_rng(seed))
            for seed in (0, 0, 1)
        )
        assert first == again
        assert first != other

    def test_one_score_has_no_interval(self) -> None:
        assert np.isnan(interquartile_mean_interval([[5.0]], np.random.default_rng(0))).all()

    def test_tails_are_students_and_narrow_towards_the_normal_distributions(self) -> None:
        assert students_tail(5) == pytest.approx(stats.norm.cdf(-2.776445), rel=1e-5)
        assert students_tail(100_000) == pytest.approx(0.025, rel=1e-3)
        assert students_tail(5) < students_tail(20) < 0.025

    def test_curves_are_resampled_whole(self) -> None:
        curves = np.array([[0.0, 10.0], [10.0, 0.0], [0.0, 10.0], [10.0, 0.0]])
        low, high = mean_curve_interval(curves, np.random.default_rng(0))
        assert low[0] == pytest.approx(10 - high[1])
        assert low[0] < 5 < high[0]
        assert np.isnan(mean_curve_interval(curves[:1], np.random.default_rng(0))).all()


class TestAreaUnderCurve:
    def test_of_a_ramp_is_half_its_height(self) -> None:
        assert area_under_curve([0, 100], [0, 40]) == 20

    def test_does_not_depend_on_where_it_was_measured(self) -> None:
        assert area_under_curve([0, 10, 40, 100], [0, 4, 16, 40]) == pytest.approx(20)

    def test_of_one_point_is_its_height(self) -> None:
        assert area_under_curve([0], [7]) == 7


class TestWorstTasks:
    def test_are_judged_by_the_other_evaluation(self) -> None:
        returns = np.arange(20.0)
        assert worst_tasks_mean(returns, returns) == 0.5
        assert worst_tasks_mean(returns, returns + 100) == 100.5
        assert worst_tasks_mean(returns, returns[::-1]) == 18.5

    def test_are_never_none(self) -> None:
        assert worst_tasks_mean([5.0, 3.0], [1.0, 2.0]) == 2

    def test_of_luck_alone_are_as_good_as_all_others(self) -> None:
        """With equal tasks and noisy returns, one evaluation for both comes out far too low."""
        rng = np.random.default_rng(0)
        first, second = rng.normal(200, 50, (2, 2000))
        assert worst_tasks_mean(first, first) < 130
        assert worst_tasks_mean(first, second) == pytest.approx(200, abs=10)


def normal(n: int) -> Draw:
    return lambda rng, times: [rng.normal(30, 8, n * times)]


def skewed(n: int) -> Draw:
    return lambda rng, times: [2 * np.round(50 * rng.beta(2, 5, n * times))]


def three_envs(n: int) -> Draw:
    return lambda rng, times: [rng.normal(mean, 8, n * times) for mean in (20, 40, 60)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw", [normal(5), normal(20), skewed(10), skewed(20), three_envs(5), three_envs(10)]
)
def test_intervals_cover_the_truth_in_95_percent_of_studies(draw: Draw) -> None:
    rng = np.random.default_rng(0)
    truth = float(interquartile_mean(np.concatenate(draw(rng, 100_000))))
    studies = 2000
    covered = 0
    for _ in range(studies):
        low, high = interquartile_mean_interval(draw(rng, 1), rng)
        covered += low <= truth <= high
    assert 0.93 <= covered / studies <= 0.97

from __future__ import annotations

import numpy as np
import pytest
from chiron.analysis.significance import (
    holm,
    probability_of_improvement,
    probability_of_improvement_interval,
    welch_p_value,
)
from scipy import stats

A, B = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2], [27.5, 20.7, 23.5, 32.1, 30.0, 41.9]


class TestWelch:
    def test_is_scipys(self) -> None:
        assert welch_p_value(A, B) == pytest.approx(stats.ttest_ind(A, B, equal_var=False).pvalue)
        assert welch_p_value(A, B) == pytest.approx(welch_p_value(B, A))

    def test_does_without_spread_on_one_side(self) -> None:
        """Then it is a one-sample test against a constant."""
        assert welch_p_value(A, [28.0] * 5) == pytest.approx(stats.ttest_1samp(A, 28).pvalue)

    @pytest.mark.parametrize("others", [[4.0], [4.0, 4.0, 4.0]])
    def test_cannot_be_made_from_one_run_or_without_any_spread(self, others: list[float]) -> None:
        assert np.isnan(welch_p_value([9.0, 9.0], others))


class TestProbabilityOfImprovement:
    def test_is_mann_and_whitneys_u_by_the_number_of_pairs(self) -> None:
        u = stats.mannwhitneyu(A, B).statistic
        assert probability_of_improvement(A, B) == pytest.approx(u / (len(A) * len(B)))

    def test_ties_count_half(self) -> None:
        assert probability_of_improvement([1, 2], [2, 2]) == 0.25
        assert probability_of_improvement([3, 3], [3]) == 0.5

    def test_interval_holds_it_and_stays_between_0_and_1(self) -> None:
        low, high = probability_of_improvement_interval(A, B, np.random.default_rng(0))
        assert 0 <= low < probability_of_improvement(A, B) < high <= 1

    def test_interval_of_separate_sides_is_a_point(self) -> None:
        assert probability_of_improvement_interval([8, 9], [1, 2, 3], np.random.default_rng(0)) == (1, 1)


class TestHolm:
    def test_by_hand(self) -> None:
        np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])

    def test_one_test_needs_no_correction(self) -> None:
        assert holm([0.04]).tolist() == [0.04]

    def test_nothing_exceeds_1(self) -> None:
        assert holm([0.6, 0.9]).tolist() == [1, 1]

    def test_tests_that_were_not_made_do_not_count(self) -> None:
        np.testing.assert_allclose(holm([np.nan, 0.02, 0.03]), [np.nan, 0.04, 0.04])

    def test_nothing_tested(self) -> None:
        assert holm([]).tolist() == []


@pytest.mark.slow
class TestErrorsOfTheFirstKind:
    STUDIES = 20_000

    def test_one_test_errs_in_5_percent_of_studies(self) -> None:
        rng = np.random.default_rng(0)
        found = [
            welch_p_value(rng.normal(30, 8, 10), rng.normal(30, 3, 20)) < 0.05 for _ in range(self.STUDIES)
        ]
        assert 0.04 <= np.mean(found) <= 0.06

    def test_a_corrected_family_errs_in_less_than_5_percent(self) -> None:
        rng = np.random.default_rng(0)
        found = []
        for _ in range(self.STUDIES // 4):
            teachers = rng.normal(30, 8, (5, 20))
            p_values = [welch_p_value(teachers[i], teachers[j]) for i in range(5) for j in range(i)]
            found.append(holm(p_values).min() < 0.05)
        assert np.mean(found) < 0.05

from __future__ import annotations

import numpy as np
import pytest
from chiron.teachers.kernel_regression import Floats, best_bandwidth, kernel_regression

BANDWIDTHS = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)


@pytest.mark.parametrize("dim", [1, 2, 12])
def test_is_the_mean_weighted_by_the_kernel(dim: int) -> None:
    rng = np.random.default_rng(0)
    tasks, known, scores = rng.random((700, dim)), rng.random((60, dim)), rng.random(60)
    weights = np.exp(-((tasks[:, None] - known) ** 2).sum(axis=2) / (2 * 0.2**2))
    expected = (weights * scores).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(kernel_regression(tasks, known, scores, 0.2), expected, atol=1e-5)


def test_far_from_everything_known_the_nearest_decides() -> None:
    known, scores = np.array([[0.1, 0.1], [0.2, 0.9]]), np.array([0.3, 0.8])
    estimates = kernel_regression(np.array([[1.0, 0.0], [1.0, 1.0]]), known, scores, 1e-3)
    assert estimates.tolist() == pytest.approx([0.3, 0.8])


def left_out(known: Floats, scores: Floats, bandwidth: float) -> Floats:
    """Leave-one-out errors of the estimated scores."""
    n = len(known)
    others = [np.delete(np.arange(n), i) for i in range(n)]
    estimates = [
        kernel_regression(known[[i]], known[o], scores[o], bandwidth)[0] for i, o in enumerate(others)
    ]
    return np.array(estimates) - scores


def test_the_bandwidth_is_the_best_of_leaving_each_score_out() -> None:
    rng = np.random.default_rng(1)
    for noise in (0.0, 0.1, 0.5):
        known = rng.random((80, 2))
        scores = np.sin(5 * known).sum(axis=1) + noise * rng.standard_normal(80)
        errors = [np.mean(left_out(known, scores, h) ** 2) for h in BANDWIDTHS]
        assert best_bandwidth(known, scores, BANDWIDTHS) == BANDWIDTHS[int(np.argmin(errors))]


def test_noise_asks_for_a_larger_bandwidth() -> None:
    rng = np.random.default_rng(2)
    known = rng.random((500, 2))
    steps = (known[:, 0] > 0.5).astype(np.float64)
    clean = best_bandwidth(known, steps, BANDWIDTHS)
    noisy = best_bandwidth(known, (rng.random(500) < 0.3 + 0.4 * steps).astype(np.float64), BANDWIDTHS)
    assert clean <= 0.04
    assert noisy >= 0.08

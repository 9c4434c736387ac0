from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from chiron.teachers.gaussian_mixtures import (
    CRITERIA,
    FITS,
    Gaussians,
    fit_best_mixture,
    fit_mixtures,
    start_with_k_means,
)
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Floats = NDArray[np.float64]
SIZES = range(2, 11)
ARRAY_OF_SIZES = np.array(SIZES)
every_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)


def progress_rows(rng: np.random.Generator, dim: int = 2, scale: float = 1.0) -> Floats:
    """Uniform tasks, with progress in one half of the space."""
    tasks = rng.random((250, dim))
    return np.column_stack([tasks, scale * np.abs(0.1 * rng.normal(size=250) * (tasks[:, 0] > 0.5))])


def blobs(rng: np.random.Generator, dim: int = 3, k: int = 5) -> Floats:
    centres = rng.random((k, dim))
    offsets = rng.normal(0.0, 0.04, size=(250, dim))
    return centres[rng.integers(k, size=250)] + offsets


def free_parameters(sizes: NDArray[np.intp], dim: int) -> Floats:
    return sizes.astype(np.float64) * (dim * (dim + 1) / 2 + dim + 1) - 1


class _StartsFrom(GaussianMixture):  # type: ignore[misc]  # scikit-learn is without types
    """Starts from given responsibilities instead of its own k-means."""

    start: Floats

    def _initialize_parameters(self, rows: Floats, *args: Any, **kwargs: Any) -> None:
        self._initialize(rows, self.start)


@pytest.fixture
def unconverged() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.usefixtures("unconverged")
@pytest.mark.medium
class TestAgainstScikitLearn:
    @pytest.mark.parametrize(
        "rows",
        [
            progress_rows(np.random.default_rng(0)),
            progress_rows(np.random.default_rng(1), scale=300),
            progress_rows(np.random.default_rng(2), dim=12),
            blobs(np.random.default_rng(3)),
            blobs(np.random.default_rng(4), dim=20),
            blobs(np.random.default_rng(5)) * [1, 1e-3, 1e3] + [0, 5, -1e3],
        ],
        ids=["progress", "raw returns", "12-D", "blobs", "20-D", "units"],
    )
    def test_same_start_same_fit(self, rows: Floats) -> None:
        responsibilities = start_with_k_means(rows, ARRAY_OF_SIZES, np.random.default_rng(0))
        fits = fit_mixtures(rows, ARRAY_OF_SIZES, responsibilities)
        begin = 0
        for mixture, size in enumerate(SIZES):
            own = responsibilities[begin : begin + size].T
            begin += size
            peer = _StartsFrom(int(size))
            peer.start = own
            peer.fit(rows)
            assert fits.log_likelihoods[mixture] / len(rows) == pytest.approx(peer.score(rows), abs=1e-6)
            components = fits.components(mixture)
            spread = rows.std(axis=0)
            np.testing.assert_allclose(components.means / spread, peer.means_ / spread, atol=1e-4)
            np.testing.assert_allclose(
                components.covariances / np.outer(spread, spread),
                peer.covariances_ / np.outer(spread, spread),
                atol=1e-4,
            )

    @pytest.mark.parametrize("criterion", ["aic", "bic"])
    def test_criteria_are_the_same(self, criterion: str) -> None:
        rows = blobs(np.random.default_rng(0))
        peer = GaussianMixture(4, random_state=0).fit(rows)
        log_likelihood = np.array([peer.score(rows) * len(rows)])
        score = CRITERIA[criterion](log_likelihood, free_parameters(np.array([4]), 3), len(rows))
        assert score[0] == pytest.approx(getattr(peer, criterion)(rows))

    @pytest.mark.parametrize("make", [progress_rows, blobs])
    @pytest.mark.slow
    def test_best_scores_are_as_good_on_average(self, make: Any) -> None:
        rng = np.random.default_rng(0)
        differences = []
        for repetition in range(20):
            rows = make(rng)
            fits = fit_mixtures(rows, ARRAY_OF_SIZES, start_with_k_means(rows, ARRAY_OF_SIZES, rng))
            own = CRITERIA["aic"](fits.log_likelihoods, free_parameters(ARRAY_OF_SIZES, 3), len(rows)).min()
            peers = [GaussianMixture(int(size), random_state=repetition).fit(rows) for size in SIZES]
            differences.append(own - min(peer.aic(rows) for peer in peers))
        error = np.std(differences) / np.sqrt(len(differences))
        assert np.mean(differences) < 2 * error + 1.0


@every_fit
def test_well_separated_groups_are_found(fit: Any) -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]])
    rows = np.concatenate([centre + 0.02 * rng.normal(size=(80, 2)) for centre in centres])
    gaussians = fit(rows, range(1, 8), "bic", rng)
    assert gaussians is not None
    means = gaussians.means[gaussians.means[:, 0].argsort()]
    np.testing.assert_allclose(means, centres[centres[:, 0].argsort()], atol=0.01)
    np.testing.assert_allclose(gaussians.covariances, np.array([np.eye(2) * 4e-4] * 3), atol=2e-4)


def test_both_fits_agree_where_there_is_one_best_mixture() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(centre, 0.05, size=(120, 2)) for centre in ([0, 0], [1, 0], [0, 1])])
    found = []
    for fit in FITS.values():
        gaussians = fit(rows, [3], "aic", np.random.default_rng(1))
        assert gaussians is not None
        order = np.lexsort(gaussians.means.round().T)
        found.append((gaussians.means[order], gaussians.covariances[order]))
    (own_means, own_covariances), (means, covariances) = found
    np.testing.assert_allclose(own_means, means, atol=1e-6)
    np.testing.assert_allclose(own_covariances, covariances, atol=1e-6)


def test_more_starting_points_never_fit_worse() -> None:
    rows = progress_rows(np.random.default_rng(0))
    sizes = np.array([10])
    once = [
        fit_mixtures(rows, sizes, start_with_k_means(rows, sizes, np.random.default_rng(seed)))
        for seed in range(10)
    ]
    often = fit_best_mixture(rows, [10], "aic", np.random.default_rng(0), n_init=10)
    assert often is not None
    assert np.ptp([fits.log_likelihoods[0] for fits in once]) > 0
    tens = np.repeat(sizes, 10)
    together = fit_mixtures(rows, tens, start_with_k_means(rows, tens, np.random.default_rng(0)))
    best = together.components(int(together.log_likelihoods.argmax()))
    np.testing.assert_array_equal(often.means, best.means)


@every_fit
@pytest.mark.usefixtures("unconverged")
def test_one_seed_makes_one_fit(fit: Any) -> None:
    rows = progress_rows(np.random.default_rng(0))
    first, second = (fit(rows, SIZES, "aic", np.random.default_rng(3)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.means, second.means)
    assert np.array_equal(first.covariances, second.covariances)


@every_fit
class TestDegenerateData:
    @pytest.mark.parametrize("column", [0, 1, 2])
    def test_a_column_that_never_varies_cannot_be_fitted(self, fit: Any, column: int) -> None:
        rows = progress_rows(np.random.default_rng(0))
        rows[:, column] = 0.1
        assert fit(rows, SIZES, "aic", np.random.default_rng(0)) is None

    def test_sizes_above_the_number_of_different_rows_are_left_out(self, fit: Any) -> None:
        rows = np.tile(np.random.default_rng(0).random((4, 3)), (60, 1))
        gaussians = fit(rows, SIZES, "aic", np.random.default_rng(0))
        assert gaussians is not None
        assert len(gaussians.means) <= 4
        assert np.isfinite(gaussians.covariances).all()

    @pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
    def test_rows_on_a_line(self, fit: Any, scale: float) -> None:
        rows = scale * np.linspace(0, 1, 250)[:, None] * [1.0, 2.0, 3.0]
        gaussians = fit(rows, SIZES, "aic", np.random.default_rng(0))
        if gaussians is not None:
            assert np.isfinite(np.linalg.cholesky(gaussians.covariances)).all()


def test_one_unsound_mixture_does_not_stop_the_others() -> None:
    rows = progress_rows(np.random.default_rng(0))
    sizes = np.array([2, 3])
    responsibilities = start_with_k_means(rows, sizes, np.random.default_rng(0))
    alone = fit_mixtures(rows, sizes[1:], responsibilities[2:])
    responsibilities[0] = np.nan
    fits = fit_mixtures(rows, sizes, responsibilities)
    assert fits.log_likelihoods[0] == -np.inf
    assert fits.log_likelihoods[1] == pytest.approx(alone.log_likelihoods[0])


def test_draws_follow_the_marginal() -> None:
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.4], [0.3, -0.4, 3.0]])
    gaussians = Gaussians(np.array([[0.0, 0, 0], [1, 2, 3]]), np.array([np.eye(3), covariance]))
    draws = gaussians.draw(np.ones(20_000, dtype=np.intp), 2, rng)
    np.testing.assert_allclose(draws.mean(axis=0), [1, 2], atol=0.04)
    np.testing.assert_allclose(np.cov(draws.T), covariance[:2, :2], atol=0.06)

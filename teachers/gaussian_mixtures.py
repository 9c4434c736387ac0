"""Fits Gaussian mixtures of several sizes, and selects the best by AIC or BIC."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]

CRITERIA: dict[str, Callable[[Floats, Floats, int], Floats]] = {
    "aic": lambda log_likelihood, parameters, _: 2 * parameters - 2 * log_likelihood,
    "bic": lambda log_likelihood, parameters, n: np.log(n) * parameters - 2 * log_likelihood,
}
"""Functions of log-likelihood, number of free parameters and number of rows; the lowest value is best."""

_MAX_ITERATIONS = 100
_TOLERANCE = 1e-3
"""A mixture has converged when a step changes its mean log-likelihood per row by less than this."""

_REGULARISATION = 1e-6
"""Added to every variance, in squared units of the data."""

_LEAST_REGULARISATION = 1e-12
"""Lower bound of it relative to the data's variance; with less, rounding makes covariances singular."""


@dataclass(frozen=True)
class Gaussians:
    """The components of a mixture.

    Attributes:
        means: Shape (k, d).
        covariances: Shape (k, d, d), each symmetric and positive definite.
    """

    means: Floats
    covariances: Floats

    @cached_property
    def _factors(self) -> Floats:
        factors: Floats = np.linalg.cholesky(self.covariances).astype(np.float64, copy=False)
        return factors

    def draw(self, components: NDArray[np.intp], dims: int, rng: np.random.Generator) -> Floats:
        """Draws from components' marginals over their first `dims` dimensions.

        Args:
            components: The component of each draw, shape (n,).
            dims: Number of dimensions.
            rng: Random generator.

        Returns:
            The draws, shape (n, dims).
        """
        # The leading block of a Cholesky factor is the factor of the leading block.
        factors = self._factors[components, :dims, :dims]
        noise = rng.standard_normal((len(components), dims, 1))
        return self.means[components, :dims] + (factors @ noise)[..., 0]


@dataclass(frozen=True)
class Fits:
    """Mixtures fitted together, with the components of all of them in one list.

    Attributes:
        sizes: Components of each mixture, shape (g,); their sum is k.
        means: Shape (k, d).
        covariances: Shape (k, d, d).
        weights: Shape (k,), summing to 1 over each mixture.
        log_likelihoods: Of the data under each mixture, shape (g,); -inf where the fit failed.
    """

    sizes: NDArray[np.intp]
    means: Floats
    covariances: Floats
    weights: Floats
    log_likelihoods: Floats

    def components(self, mixture: int) -> Gaussians:
        """The components of one mixture."""
        end = int(self.sizes[: mixture + 1].sum())
        own = slice(end - int(self.sizes[mixture]), end)
        return Gaussians(self.means[own], self.covariances[own])


def fit_best_mixture(
    rows: Floats, sizes: Sequence[int], criterion: str, rng: np.random.Generator, n_init: int = 1
) -> Gaussians | None:
    """Fit a full-covariance mixture of each size by expectation maximisation, and keep the best.

    Args:
        rows: Data, shape (n, d).
        sizes: Numbers of components to try; those above the number of distinct rows are left out.
        criterion: Key of `CRITERIA` that selects the best mixture.
        rng: Draws the starting points.
        n_init: Starting points per size.

    Returns:
        The best mixture's components. None if no size could be fitted, or if a column never varies: the
        data then lie in a hyperplane, and only the regularisation would decide between mixtures.
    """
    n, dim = rows.shape
    tried = np.repeat(_sizes_of(rows, sizes), n_init)
    if not len(tried):
        return None
    # The fits are too small to parallelise: thread pools only slow each other down.
    with _thread_pools().limit(limits=1):
        fits = fit_mixtures(rows, tried, start_with_k_means(rows, tried, rng))
    parameters = tried * (dim * (dim + 1) / 2 + dim + 1) - 1
    scores = CRITERIA[criterion](fits.log_likelihoods, parameters, n)
    best = int(np.argmin(scores))
    return fits.components(best) if np.isfinite(scores[best]) else None


def fit_with_scikit_learn(
    rows: Floats, sizes: Sequence[int], criterion: str, rng: np.random.Generator, n_init: int = 1
) -> Gaussians | None:
    """The same with scikit-learn's `GaussianMixture`, one size at a time, as the authors of ALP-GMM do.

    Arguments and result are those of `fit_best_mixture`.
    """
    # Imported here to start up faster: most teachers never fit with it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    fits = []
    with _thread_pools().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for size in _sizes_of(rows, sizes):
            mixture = GaussianMixture(size, n_init=n_init, random_state=int(rng.integers(2**31)))
            try:
                mixture.fit(rows)
            except ValueError:  # a covariance that is not positive definite
                continue
            fits.append((getattr(mixture, criterion)(rows), size, mixture))
    if not fits:
        return None
    _, _, best = min(fits)
    return Gaussians(best.means_, best.covariances_)


FITS = {"chiron": fit_best_mixture, "scikit_learn": fit_with_scikit_learn}
"""Fitting functions by name, with the same arguments and result."""


def _sizes_of(rows: Floats, sizes: Sequence[int]) -> list[int]:
    """The sizes of mixtures that can be fitted to data: none if a column never varies."""
    distinct = len(np.unique(rows, axis=0))
    return [size for size in sizes if size <= distinct] if (np.ptp(rows, axis=0) > 0).all() else []


def start_with_k_means(rows: Floats, sizes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """Cluster the rows by k-means, once for every size, from k-means++ starting points.

    Args:
        rows: Data, shape (n, d), with at least as many distinct rows as the largest size.
        sizes: Numbers of clusters, shape (g,).
        rng: Draws the starting points.

    Returns:
        The responsibility of each cluster for each row, shape (k, n): 0 or 1, except for ties.
    """
    centred = rows - rows.mean(axis=0)
    centres = centred[_spread_out_rows(centred, sizes, rng)]
    starts = _starts(sizes)
    tolerance = 1e-4 * centred.var(axis=0).mean()
    belongs: Floats
    for _ in range(_MAX_ITERATIONS):
        # The squared distance to each centre, up to a term that is the same for all of them.
        distances = (centres**2).sum(axis=1)[:, None] - 2 * centres @ centred.T
        nearest = distances == np.repeat(np.minimum.reduceat(distances, starts), sizes, axis=0)
        belongs = nearest / np.repeat(np.add.reduceat(nearest, starts, dtype=np.float64), sizes, axis=0)
        members = belongs.sum(axis=1)[:, None]
        # A cluster that lost its last row stays where it was.
        moved = np.where(members > 0, belongs @ centred / np.maximum(members, 1e-300), centres)
        shift = np.add.reduceat(((moved - centres) ** 2).sum(axis=1), starts)
        centres = moved
        if (shift <= tolerance).all():
            break
    return belongs


def _spread_out_rows(rows: Floats, sizes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows to start k-means from (greedy k-means++ of Arthur and Vassilvitskii, 2007), shape (k,)."""
    n, groups, most = len(rows), len(sizes), int(sizes.max())
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] - 2 * rows @ rows.T + squares, 0.0)
    np.fill_diagonal(distances, 0.0)
    chosen = np.empty((groups, most), dtype=np.intp)
    chosen[:, 0] = rng.integers(n, size=groups)
    closest = distances[chosen[:, 0]]
    trials = 2 + int(np.log(most))
    all_groups = np.arange(groups)
    for step in range(1, most):
        cumulative = closest.cumsum(axis=1)
        draws = rng.random((groups, trials)) * cumulative[:, -1:]
        # The first row whose cumulative weight exceeds the draw; never one of weight 0.
        candidates = np.minimum((cumulative[:, None] <= draws[:, :, None]).sum(axis=2), n - 1)
        remaining = np.minimum(closest[:, None], distances[candidates])
        best = remaining.sum(axis=2).argmin(axis=1)
        chosen[:, step] = candidates[all_groups, best]
        closest = remaining[all_groups, best]
    return chosen[np.arange(most) < sizes[:, None]]


def fit_mixtures(rows: Floats, sizes: NDArray[np.intp], responsibilities: Floats) -> Fits:
    """Fit full-covariance mixtures by expectation maximisation, all of them in the same array operations.

    The steps, the regularisation and the stopping rule are those of scikit-learn's GaussianMixture, which
    fits one mixture at a time. Converged mixtures leave the computation.

    Args:
        rows: Data, shape (n, d).
        sizes: Components of each mixture, shape (g,).
        responsibilities: Initial responsibility of each component for each row, shape (k, n).

    Returns:
        The fitted mixtures.
    """
    # Expectation maximisation does not depend on units, and unit variances keep rounding errors small.
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    unit = (rows - centre) / scale
    regularisation = np.maximum(_REGULARISATION / scale**2, _LEAST_REGULARISATION)
    n, dim = unit.shape

    means = np.empty((int(sizes.sum()), dim))
    covariances = np.empty((len(means), dim, dim))
    weights = np.empty(len(means))
    log_likelihoods = np.full(len(sizes), -np.inf)

    active, components = np.arange(len(sizes)), np.arange(len(means))
    previous, converged = log_likelihoods.copy(), np.zeros(len(sizes), dtype=bool)
    maximise = _Maximisation(unit, regularisation)
    for iteration in range(_MAX_ITERATIONS + 1):
        means[components], covariances[components], weights[components] = maximise(responsibilities)
        factors, sound = _cholesky(covariances[components], sizes[active])
        if not sound.all():
            keep = np.repeat(sound, sizes[active])
            factors, components = factors[keep], components[keep]
            active, previous, converged = active[sound], previous[sound], converged[sound]
        if not len(active):
            break
        starts = _starts(sizes[active])
        densities = _log_densities(unit, means[components], factors)
        densities += np.log(weights[components])[:, None]
        highest = np.maximum.reduceat(densities, starts)
        densities -= np.repeat(highest, sizes[active], axis=0)
        responsibilities = np.exp(densities)
        totals = np.add.reduceat(responsibilities, starts)
        responsibilities /= np.repeat(totals, sizes[active], axis=0)
        mean_log_likelihood = (highest + np.log(totals)).mean(axis=1)

        # A converged mixture is updated once more before its final log-likelihood is taken.
        final = converged | (iteration == _MAX_ITERATIONS)
        log_likelihoods[active[final]] = n * (mean_log_likelihood[final] - np.log(scale).sum())
        keep = np.repeat(~final, sizes[active])
        responsibilities, components = responsibilities[keep], components[keep]
        converged = (np.abs(mean_log_likelihood - previous) < _TOLERANCE)[~final]
        active, previous = active[~final], mean_log_likelihood[~final]
        if not len(active):
            break
    return Fits(sizes, centre + means * scale, covariances * np.outer(scale, scale), weights, log_likelihoods)


class _Maximisation:
    """The M-step: weighted moments of the data in one matrix product.

    Args:
        unit: Data of unit variance, shape (n, d).
        regularisation: Added to every variance, shape (d,).
    """

    def __init__(self, unit: Floats, regularisation: Floats) -> None:
        self._dim = unit.shape[1]
        self._upper = np.triu_indices(self._dim)
        self._products = np.hstack([unit[:, self._upper[0]] * unit[:, self._upper[1]], unit])
        self._added = np.diag(regularisation)

    def __call__(self, responsibilities: Floats) -> tuple[Floats, Floats, Floats]:
        """Means (k, d), covariances (k, d, d) and weights (k,) for responsibilities (k, n)."""
        members = responsibilities.sum(axis=1) + 10 * np.finfo(np.float64).eps
        moments = responsibilities @ self._products / members[:, None]
        means = moments[:, -self._dim :]
        covariances = np.empty((len(means), self._dim, self._dim))
        i, j = self._upper
        covariances[:, i, j] = covariances[:, j, i] = moments[:, : -self._dim]
        covariances += self._added - means[:, :, None] * means[:, None, :]
        return means, covariances, members / responsibilities.shape[1]


def _cholesky(covariances: Floats, sizes: NDArray[np.intp]) -> tuple[Floats, NDArray[np.bool_]]:
    """Cholesky factors, shape (k, d, d), and which mixtures have only valid ones, shape (g,)."""
    factors: Floats = np.empty_like(covariances)
    sound = np.ones(len(sizes), dtype=np.bool_)
    try:
        factors[:] = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        for mixture, (start, size) in enumerate(zip(_starts(sizes), sizes, strict=True)):
            try:
                factors[start : start + size] = np.linalg.cholesky(covariances[start : start + size])
            except np.linalg.LinAlgError:
                sound[mixture] = False
    return factors, sound & np.logical_and.reduceat(np.isfinite(factors).all(axis=(1, 2)), _starts(sizes))


def _log_densities(rows: Floats, means: Floats, factors: Floats) -> Floats:
    """Log-density of each row, shape (n, d), under each Gaussian: shape (k, n)."""
    k, dim = means.shape
    inverse = np.linalg.inv(factors)
    offsets = np.einsum("kij,kj->ki", inverse, means).reshape(-1, 1)
    whitened = (inverse.reshape(-1, dim) @ rows.T - offsets).reshape(k, dim, -1)
    log_determinants = np.log(np.einsum("kii->ki", inverse)).sum(axis=1)
    squares: Floats = np.einsum("kdn,kdn->kn", whitened, whitened)
    densities: Floats = (log_determinants - dim / 2 * np.log(2 * np.pi))[:, None] - squares / 2
    return densities


def _starts(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Index of each mixture's first component in the list of all components, shape (g,)."""
    return np.cumsum(sizes) - sizes


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()

"""Functions of a Gaussian and their gradients, for optimisers.

A Gaussian over R^d is one vector: its mean (d), the logarithms of the diagonal of the Cholesky factor of its
covariance (d), and the entries below that diagonal, row by row (d(d-1)/2).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

Floats = NDArray[np.float64]

_LARGEST_LOG_RATIO = 50.0


def pack(mean: Floats, factor: Floats) -> Floats:
    """A Gaussian as one vector, from its mean (d,) and the Cholesky factor of its covariance (d, d)."""
    return np.concatenate([mean, np.log(np.diag(factor)), factor[_below(len(mean))]])


def unpack(x: Floats) -> tuple[Floats, Floats]:
    """Mean and Cholesky factor of a Gaussian."""
    # d means, d logarithms and d(d-1)/2 others: d(d+3)/2 numbers.
    dim = int((np.sqrt(9 + 8 * len(x)) - 3) / 2)
    factor = np.diag(np.exp(x[dim : 2 * dim]))
    factor[_below(dim)] = x[2 * dim :]
    return x[:dim], factor


@cache
def _below(dim: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.tril_indices(dim, -1)
    return rows, columns


def _log_density_gradient(whitened: Floats, factor: Floats, weights: Floats) -> Floats:
    """Gradient of a weighted sum of log-densities with respect to the Gaussian.

    Args:
        whitened: The points, as `_log_densities` gives them, shape (n, d).
        factor: The Gaussian's Cholesky factor, shape (d, d).
        weights: Shape (n,).
    """
    weighted = whitened * weights[:, None]
    # The gradient of the log-density at the whitened point z, by the factor L, is L^-T z z^T - diag(1 / L).
    by_mean = solve_triangular(factor, weighted.sum(axis=0), trans="T", lower=True, check_finite=False)
    by_factor = solve_triangular(factor, weighted.T @ whitened, trans="T", lower=True, check_finite=False)
    diagonal = np.diag(by_factor) * np.diag(factor) - weights.sum()
    return np.concatenate([by_mean, diagonal, by_factor[_below(len(factor))]])


def log_densities(x: Floats, points: Floats) -> Floats:
    """Log-densities of points, shape (n, d), under a Gaussian; shape (n,)."""
    return _log_densities(x, points)[0]


def _log_densities(x: Floats, points: Floats) -> tuple[Floats, Floats, Floats]:
    """The log-densities (n,), the whitened points (n, d) and the factor (d, d)."""
    mean, factor = unpack(x)
    whitened = solve_triangular(factor, (points - mean).T, lower=True, check_finite=False).T
    dim = len(mean)
    constant = dim / 2 * np.log(2 * np.pi) + x[dim : 2 * dim].sum()
    return -0.5 * (whitened**2).sum(axis=1) - constant, whitened, factor


def kl_between(old: Floats, x: Floats) -> tuple[float, Floats]:
    """KL(old | x), and its gradient with respect to x."""
    mean, factor = unpack(x)
    old_mean, old_factor = unpack(old)
    dim = len(mean)
    spread = solve_triangular(factor, old_factor, lower=True, check_finite=False)
    shift = solve_triangular(factor, old_mean - mean, lower=True, check_finite=False)
    logs = x[dim : 2 * dim].sum() - old[dim : 2 * dim].sum()
    value = 0.5 * ((spread**2).sum() + (shift**2).sum() - dim) + logs
    by_mean = -solve_triangular(factor, shift, trans="T", lower=True, check_finite=False)
    moment = spread @ spread.T + np.outer(shift, shift)
    by_factor = -solve_triangular(factor, moment, trans="T", lower=True, check_finite=False)
    diagonal = np.diag(by_factor) * np.diag(factor) + 1.0
    return float(value), np.concatenate([by_mean, diagonal, by_factor[_below(dim)]])


class Target:
    """The target: a mixture of equally weighted Gaussians with diagonal covariances.

    Args:
        means: Shape (k, d).
        stds: Shape (k, d).
    """

    def __init__(self, means: Floats, stds: Floats) -> None:
        self._means = means
        self._stds = stds

    def log_densities(self, points: Floats) -> Floats:
        """Log-densities of points, shape (n, d); shape (n,)."""
        scaled = (points[:, None] - self._means) / self._stds
        constants = np.log(self._stds).sum(axis=1) + points.shape[1] / 2 * np.log(2 * np.pi)
        logs = -0.5 * (scaled**2).sum(axis=2) - constants
        total: Floats = logsumexp(logs, axis=1) - np.log(len(self._means))
        return total

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, shape (n, d)."""
        component = rng.integers(len(self._means), size=n)
        noise = rng.standard_normal((n, self._means.shape[1]))
        return self._means[component] + self._stds[component] * noise


class Whitened:
    """A target in the coordinates in which a given Gaussian is standard normal.

    Args:
        target: The target.
        mean: Mean of the Gaussian, shape (d,).
        factor: Cholesky factor of its covariance, shape (d, d).
    """

    def __init__(self, target: Target, mean: Floats, factor: Floats) -> None:
        self._target = target
        self._mean = mean
        self._factor = factor

    def points(self, points: Floats) -> Floats:
        """Convert points, shape (n, d), from the target's coordinates to these."""
        centred = (points - self._mean).T
        whitened: Floats = solve_triangular(self._factor, centred, lower=True, check_finite=False).T
        return whitened

    def log_densities(self, points: Floats) -> Floats:
        """Log-densities of points, shape (n, d); shape (n,)."""
        logs = self._target.log_densities(self._mean + points @ self._factor.T)
        logs += np.log(np.diag(self._factor)).sum()
        return logs

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw points, shape (n, d)."""
        return self.points(self._target.sample(rng, n))


class Divergence:
    """Divergence of a Gaussian x from a target, (KL(x | target) + KL(target | x)) / 2, from samples.

    Args:
        old: The Gaussian that the points of the first estimate are drawn from.
        target: The target, which the points of the second estimate are drawn from.
        rng: Draws the points.
        n: Number of points per estimate.
    """

    def __init__(self, old: Floats, target: Target | Whitened, rng: np.random.Generator, n: int) -> None:
        mean, factor = unpack(old)
        own = mean + rng.standard_normal((n, len(mean))) @ factor.T
        self._points = np.concatenate([own, target.sample(rng, n)])
        self._wanted = target.log_densities(self._points)
        self._drawn = log_densities(old, own)

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        n = len(self._drawn)
        logs, whitened, factor = _log_densities(x, self._points)
        differences = logs - self._wanted
        ratios = np.exp(np.minimum(logs[:n] - self._drawn, _LARGEST_LOG_RATIO))
        value = float(ratios @ differences[:n] - differences[n:].sum()) / (2 * n)
        weights = np.concatenate([ratios * (differences[:n] + 1), np.full(n, -1.0)]) / (2 * n)
        return value, _log_density_gradient(whitened, factor, weights)


class Performance:
    """Mean score on a Gaussian, estimated by importance sampling.

    Args:
        old: The Gaussian that the points were drawn from.
        points: Shape (n, d).
        scores: At the points, shape (n,).
    """

    def __init__(self, old: Floats, points: Floats, scores: Floats) -> None:
        self._points = points
        self._drawn = log_densities(old, points)
        self._scores = scores / len(scores)

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        logs, whitened, factor = _log_densities(x, self._points)
        weighted = np.exp(np.minimum(logs - self._drawn, _LARGEST_LOG_RATIO)) * self._scores
        return float(weighted.sum()), _log_density_gradient(whitened, factor, weighted)

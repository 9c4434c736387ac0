"""Fitting mixtures of Gaussians of several sizes and keeping the one that explains the data best."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import ThreadpoolController

CRITERIA = ("aic", "bic")


@dataclass(frozen=True)
class Gaussians:
    """The components of a mixture.

    Attributes:
        means: Shape (k, d).
        covariances: Shape (k, d, d), each symmetric and positive definite.
    """

    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def draw(self, component: int, dims: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """One draw from a component's marginal over its first `dims` dimensions, shape (dims,)."""
        factor = np.linalg.cholesky(self.covariances[component, :dims, :dims])
        return self.means[component, :dims] + factor @ rng.standard_normal(dims)


def fit_best_mixture(
    rows: NDArray[np.float64],
    sizes: Sequence[int],
    criterion: str,
    rng: np.random.Generator,
    n_init: int = 1,
) -> Gaussians | None:
    """Fit a full-covariance mixture of each size by expectation maximisation, and keep the best.

    Args:
        rows: Data, shape (n, d).
        sizes: Numbers of components to try; those above the number of distinct rows are left out.
        criterion: "aic" or "bic", the lower the better.
        rng: Seeds the k-means initialisations.
        n_init: Initialisations per size, of which the likeliest fit counts.

    Returns:
        The best mixture's components, or None if no size could be fitted.
    """
    distinct = len(np.unique(rows, axis=0))
    best: GaussianMixture | None = None
    best_score = np.inf
    # The fits are too small to share: scikit-learn's thread pools only get in each other's way.
    with warnings.catch_warnings(), ThreadpoolController().limit(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for size in sizes:
            seed = int(rng.integers(2**31))
            if size > distinct:
                continue
            mixture = GaussianMixture(size, n_init=n_init, random_state=seed)
            try:
                mixture.fit(rows)
            except ValueError:  # a component collapsed
                continue
            score = getattr(mixture, criterion)(rows)
            if score < best_score:
                best, best_score = mixture, score
    if best is None:
        return None
    return Gaussians(best.means_, best.covariances_)

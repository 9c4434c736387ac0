"""Nadaraya-Watson regression: the score of any task is a mean of known scores, weighted by proximity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 500
"""Tasks whose scores are estimated at once, in arrays that fit into a processor's cache."""


def kernel_regression(tasks: Floats, known: Floats, scores: Floats, bandwidth: float) -> Floats:
    """Estimate the scores of tasks with a Gaussian kernel; far from all known tasks, the nearest decides.

    Args:
        tasks: Shape (n, d).
        known: Tasks whose scores are known, shape (m, d).
        scores: Their scores, shape (m,).
        bandwidth: Standard deviation of the kernel.

    Returns:
        Estimated scores, shape (n,).
    """
    # In float32: there may be millions of exponentials, which are many times faster than in float64.
    scale = np.sqrt(0.5) / bandwidth
    scaled = known * scale
    center = scaled.mean(axis=0)
    points, places = (scaled - center).astype(np.float32).T, (tasks * scale - center).astype(np.float32)
    values, doubled = scores.astype(np.float32), 2 * places
    squares = (points**2).sum(axis=0)
    estimates = np.empty(len(tasks))
    for first in range(0, len(tasks), _BLOCK):
        block = slice(first, first + _BLOCK)
        weights = doubled[block] @ points - squares
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        estimates[block] = (weights @ values) / weights.sum(axis=1)
    return estimates


def best_bandwidth(known: Floats, scores: Floats, bandwidths: Sequence[float]) -> float:
    """The bandwidth with the smallest leave-one-out squared error.

    Args:
        known: Tasks whose scores are known, shape (m, d), m being at least 2.
        scores: Their scores, shape (m,).
        bandwidths: Bandwidths to choose from; the first of equally good ones is chosen.
    """
    points, values = (known - known.mean(axis=0)).astype(np.float32), scores.astype(np.float32)
    squares = (points**2).sum(axis=1)
    distances = squares + squares[:, None] - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(axis=1, keepdims=True)
    errors = np.empty(len(bandwidths))
    for k, bandwidth in enumerate(bandwidths):
        weights = np.exp(distances * np.float32(-0.5 / bandwidth**2))
        estimates = (weights @ values) / weights.sum(axis=1)
        errors[k] = ((estimates - values) ** 2).mean()
    return bandwidths[int(errors.argmin())]

"""Metrics of an evaluation, or of a series of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .evaluate import TaskResult


def mastered_percent(results: Sequence[TaskResult]) -> float:
    """Share of the tasks that were mastered, in percent."""
    return 100 * float(np.mean([row.mastered for row in results]))


def return_mean(results: Sequence[TaskResult]) -> float:
    """Mean episode return over the tasks."""
    return float(np.mean([row.episode_return for row in results]))


def area_under_curve(steps: ArrayLike, scores: ArrayLike) -> float:
    """The mean height of a learning curve: the trapezoidal area under it, divided by its length.

    Args:
        steps: Increasing steps, shape (m,).
        scores: Scores, shape (m,); the result has their unit. For a single point it is its score.
    """
    x, y = np.asarray(steps, np.float64), np.asarray(scores, np.float64)
    return float(np.trapezoid(y, x) / (x[-1] - x[0])) if len(x) > 1 else float(y[0])

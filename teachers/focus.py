"""The parts of the task space that a teacher draws tasks from, for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FocusBox:
    """A box of the task space.

    Attributes:
        weight: Probability of drawing from it.
        low: Lowest corner, shape (d,).
        high: Highest corner, shape (d,).
    """

    weight: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class FocusGaussian:
    """A Gaussian over the task space.

    Attributes:
        weight: Probability of drawing from it.
        mean: Shape (d,).
        covariance: Shape (d, d).
    """

    weight: float
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


Focus = FocusBox | FocusGaussian

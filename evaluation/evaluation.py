"""One test of a student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evaluate import TaskResult


@dataclass(frozen=True)
class Evaluation:
    """What a test of a student found.

    Attributes:
        step: Training steps before it.
        mastered_percent: Percentage of the test tasks, or of a simulated student's cells, that were mastered.
        return_mean: Mean episode return.
        results: One row per test task; none for a simulated student.
        competence: What a simulated student can do, in [0, 1], with one axis per parameter that matters; None
            for other students.
    """

    step: int
    mastered_percent: float
    return_mean: float
    results: Sequence[TaskResult] = ()
    competence: NDArray[np.float64] | None = None

"""One evaluation of a student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evaluate import TaskResult
from .metrics import area_under_curve


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation of a student.

    Attributes:
        step: Training steps before it.
        mastered_percent: Percentage of the test tasks, or of a simulated student's cells, that are mastered.
        return_mean: Mean episode return.
        results: One row per test task; empty for a simulated student.
        competence: Competence of a simulated student, in [0, 1], with one axis per relevant parameter; None
            for other students.
    """

    step: int
    mastered_percent: float
    return_mean: float
    results: Sequence[TaskResult] = ()
    competence: NDArray[np.float64] | None = None


def evaluation_curves(
    evaluation: Evaluation, steps: Sequence[int], percents: Sequence[float]
) -> dict[str, float]:
    """Values of an evaluation that are logged as curves over training, by name.

    Args:
        evaluation: The latest evaluation.
        steps: Steps of all evaluations so far, including this one.
        percents: Percentage mastered in each of them.
    """
    curves = {
        "area_under_curve": area_under_curve(steps, percents),
        "mastered_percent": evaluation.mastered_percent,
        "return_mean": evaluation.return_mean,
    }
    if evaluation.results:
        curves["length_mean"] = float(np.mean([row.length for row in evaluation.results]))
    return curves

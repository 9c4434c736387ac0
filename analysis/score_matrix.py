"""Compares teachers over several envs or students: a table with one row for each and a column per teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..evaluation.metrics import area_under_curve
from . import BEST
from .comparison import Comparison
from .conditions import Condition, labels_of, rest_of
from .statistics import Interval, bootstrap_interval, mean_and_sd, with_interval
from .study import StudyRun

EARLY = 1 / 8
"""Share of the steps after which results are shown too, as for a small budget."""

Score = Callable[[StudyRun], float]


@dataclass(frozen=True)
class ScoreMatrix:
    """The conditions of a comparison by setting (everything except the teacher) and teacher.

    Attributes:
        rows: What distinguishes each row from the others: env, student, settings.
        teachers: The columns.
        cells: The condition of each row and teacher that has a result.
    """

    rows: list[str]
    teachers: list[str]
    cells: Mapping[tuple[str, str], Condition]

    @property
    def complete_rows(self) -> list[str]:
        """The rows in which every teacher has a result."""
        return [row for row in self.rows if all((row, teacher) in self.cells for teacher in self.teachers)]

    def means(self, score: Score) -> dict[tuple[str, str], tuple[float, float]]:
        """Mean and standard deviation over seeds of a score, by row and teacher."""
        return {
            place: mean_and_sd([score(run) for run in condition.counted])
            for place, condition in self.cells.items()
        }

    def summary(self, score: Score, rng: np.random.Generator) -> dict[str, tuple[float, Interval]]:
        """The unweighted mean over the complete rows, and its 95% bootstrap interval, by teacher.

        Args:
            score: Computes the score of a run.
            rng: Draws the resamples, row by row.
        """
        found = {}
        for teacher in self.teachers:
            strata = [[score(run) for run in self.cells[row, teacher].counted] for row in self.complete_rows]
            if strata:
                mean = float(np.mean([np.mean(stratum) for stratum in strata]))
                found[teacher] = (mean, bootstrap_interval(_mean_of_means, strata, rng))
        return found


def score_matrix(comparison: Comparison) -> ScoreMatrix | None:
    """Arrange the conditions of a comparison by setting and teacher; None unless there are two of both."""
    rows = _labelled(comparison.counted, rest_of, _without_teacher)
    teachers = _labelled(comparison.counted, _teacher_of, _only_teacher)
    if len(set(rows)) < 2 or len(set(teachers)) < 2:
        return None
    cells = dict(zip(zip(rows, teachers, strict=True), comparison.counted, strict=True))
    return ScoreMatrix(sorted(set(rows)), sorted(set(teachers)), cells)


def matrix_tables(comparison: Comparison) -> dict[str, list[dict[str, str]]]:
    """The formatted matrices of a comparison, by title; empty unless there are two rows and two teachers.

    Returns:
        One dict per row from heading to text; the best cell of a row ends with `BEST`.
    """
    matrix = score_matrix(comparison)
    if matrix is None:
        return {}
    rng = np.random.default_rng(0)
    return {title: _rows(matrix, score, rng) for title, score in scores_of(comparison).items()}


def scores_of(comparison: Comparison) -> dict[str, Score]:
    """The scores shown for each run, by title."""
    steps = np.sort(comparison.curves["step"].unique())
    early = int(steps[np.searchsorted(steps, EARLY * steps[-1])])
    return {
        "Mastered % in the end": lambda run: run.score,
        "Area under the curve": lambda run: area_under_curve(run.mastery.index, run.mastery),
        f"Mastered % after {early:,} steps": lambda run: float(
            run.mastery[run.mastery.index <= early].iloc[-1]
        ),
    }


def _rows(matrix: ScoreMatrix, score: Score, rng: np.random.Generator) -> list[dict[str, str]]:
    means = matrix.means(score)
    rows = [
        {"": row, **{teacher: _cell(means, row, teacher) for teacher in matrix.teachers}}
        for row in matrix.rows
    ]
    summary = {
        teacher: with_interval(mean, low, high, 1)
        for teacher, (mean, (low, high)) in matrix.summary(score, rng).items()
    }
    return [*rows, {"": f"mean of {len(matrix.complete_rows)} rows [95%]", **summary}] if summary else rows


def _cell(means: Mapping[tuple[str, str], tuple[float, float]], row: str, teacher: str) -> str:
    if (row, teacher) not in means:
        return "–"
    mean, sd = means[row, teacher]
    spread = "" if np.isnan(sd) else f" ± {sd:.1f}"
    is_best = mean == max(other for (where, _), (other, _) in means.items() if where == row)
    return f"{mean:.1f}{spread}{BEST if is_best else ''}"


def _labelled(
    conditions: Sequence[Condition], part_of: Callable[[Condition], str], only: Callable[[StudyRun], StudyRun]
) -> list[str]:
    """A label for a part of each condition; equal for conditions in which that part is equal."""
    parts = [part_of(condition) for condition in conditions]
    examples = {part: only(condition.counted[0]) for part, condition in zip(parts, conditions, strict=True)}
    labels = dict(zip(examples, labels_of(list(examples.values())), strict=True))
    return [labels[part].strip("/ ") or "all" for part in parts]


def _teacher_of(condition: Condition) -> str:
    run = _only_teacher(condition.counted[0])
    return repr((run.names["teacher"], sorted(run.config.items())))


def _only_teacher(run: StudyRun) -> StudyRun:
    config = {key: value for key, value in run.config.items() if key.startswith("teacher.")}
    return replace(
        run, names={**dict.fromkeys(run.names, ""), "teacher": run.names["teacher"]}, config=config
    )


def _without_teacher(run: StudyRun) -> StudyRun:
    config = {key: value for key, value in run.config.items() if not key.startswith("teacher.")}
    return replace(run, names={**run.names, "teacher": ""}, config=config)


def _mean_of_means(*samples: Any, axis: int = -1) -> Any:
    return np.mean([np.mean(sample, axis=axis) for sample in samples], axis=0)

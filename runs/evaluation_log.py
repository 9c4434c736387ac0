"""The log of evaluations: one row per test task and evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .run import RunCallback
from .whole_files import AppendFile, FileRecord

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run


class EvaluationLog(RunCallback):
    """Appends evaluations to `evaluations.csv`, which is readable after each one.

    It has one row per evaluation for simulated students, and one per evaluation and test task for others.
    """

    def __init__(self) -> None:
        self._file: AppendFile | None = None

    def on_start(self, run: Run) -> None:
        self._file = AppendFile(run.directory.evaluations, run.counted_on.get(run.directory.evaluations))

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        step = evaluation.step
        if evaluation.results:
            header = ["step", "task_index", *run.curriculum.space.columns, "return", "length", "mastered"]
            rows: list[list[object]] = [
                [step, row.task_index, *row.task.tolist(), row.episode_return, row.length, row.mastered]
                for row in evaluation.results
            ]
        else:
            header, rows = ["step", "mastered_percent"], [[step, evaluation.mastered_percent]]
        assert self._file is not None
        self._file.append(_as_csv(rows if self._file.length else [header, *rows]))

    def files(self, run: Run) -> Mapping[Path, FileRecord]:
        assert self._file is not None
        return {self._file.path: self._file.record()}


def _as_csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()

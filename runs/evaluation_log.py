"""The log of evaluations: one row per test task and evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .run import RunCallback
from .whole_files import AppendFile

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run


class EvaluationLog(RunCallback):
    """Appends evaluations to `evaluations.csv`, which is readable after each.

    Of a simulated student it holds one row per evaluation, of others one per test task.
    """

    def __init__(self) -> None:
        self._length = 0
        self._file: AppendFile | None = None

    def on_start(self, run: Run) -> None:
        self._file = AppendFile(run.directory.evaluations, self._length)

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

    def state_dict(self) -> dict[str, Any]:
        return {"length": self._file.length if self._file else self._length}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._length = state["length"]


def _as_csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()

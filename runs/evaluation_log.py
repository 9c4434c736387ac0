"""The log of evaluations: one row per test task and evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..envs.task_space import TaskSpace
from ..evaluation.evaluate import TaskResult
from .whole_files import AppendFile


class EvaluationLog:
    """Appends evaluations to a CSV file, which is readable after each.

    Args:
        path: The file.
        space: Names the task columns.
        length: Bytes to keep of the file; 0 begins a new one.

    Attributes:
        length: Bytes of the file.
    """

    def __init__(self, path: Path, space: TaskSpace, length: int = 0) -> None:
        self._file = AppendFile(path, length)
        if not length:
            self._append([["step", "task_index", *space.columns, "return", "length", "mastered"]])

    @property
    def length(self) -> int:
        return self._file.length

    def add(self, step: int, results: list[TaskResult]) -> None:
        """Append the rows of one evaluation, made after `step` training steps."""
        self._append(
            [
                [step, row.task_index, *row.task.tolist(), row.episode_return, row.length, row.mastered]
                for row in results
            ]
        )

    def _append(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._file.append(text.getvalue())

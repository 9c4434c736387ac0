"""The log of evaluations: one row per test task and evaluation."""

from __future__ import annotations

import csv
from pathlib import Path

from envs.task_space import TaskSpace
from evaluation.evaluate import TaskResult


class EvaluationLog:
    """Appends evaluations to a CSV file, which is readable after each.

    Args:
        path: The file; a new one is begun.
        space: Names the task columns.
    """

    def __init__(self, path: Path, space: TaskSpace) -> None:
        self._path = path
        columns: list[object] = ["step", "task_index", *space.columns, "return", "length", "mastered"]
        self._write("w", [columns])

    def add(self, step: int, results: list[TaskResult]) -> None:
        """Append the rows of one evaluation, made after `step` training steps."""
        rows: list[list[object]] = [
            [step, row.task_index, *row.task.tolist(), row.episode_return, row.length, row.mastered]
            for row in results
        ]
        self._write("a", rows)

    def _write(self, mode: str, rows: list[list[object]]) -> None:
        with self._path.open(mode, newline="") as file:
            csv.writer(file).writerows(rows)

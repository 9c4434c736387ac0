"""The student of a finished run, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..runs.run_directory import RunDirectory
from ..runs.trained_student import TrainedStudent
from .build import build


def load_student(run: str | Path, student: Callable[..., Any] | None = None) -> TrainedStudent:
    """The student of a finished run.

    Args:
        run: The run's directory.
        student: The algorithm as it was given to `make_run`; None to make it of the run's `config.yaml`.

    Raises:
        ValueError: If no run lies there, its student is simulated, or it has left no model yet.
    """
    return TrainedStudent(RunDirectory(Path(run)), build if student is None else lambda node: student)

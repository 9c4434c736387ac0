"""The student of a finished run, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..envs.importing import trusting
from ..runs.run_directory import RunDirectory
from ..runs.trained_student import TrainedStudent
from .build import build


def load_student(
    run: str | Path,
    student: Callable[..., Any] | None = None,
    trust: Sequence[str] = (),
    best: bool = False,
) -> TrainedStudent:
    """The student of a finished run. What its files say executes nothing but what is trusted.

    Args:
        run: The run's directory.
        student: The algorithm as it was given to `make_run`; None to make it of the run's `config.yaml`.
        trust: Packages and modules of yours that its `config.yaml` may name, beside those of `docs/trust.md`.
        best: Whether to take the student of the best evaluation instead of the last.

    Raises:
        ValueError: If no run lies there, its student is simulated, or it has left no model yet.
    """
    return TrainedStudent(RunDirectory(Path(run)), partial(build_trusting, trust), best, student)


def build_trusting(trust: Sequence[str], node: Mapping[str, Any]) -> Callable[..., Any]:
    """As `build`, of a configuration that a stranger may have written.

    Args:
        trust: As `load_student` takes it.
        node: As `build` takes it.
    """
    with trusting(trust):
        return build(node)

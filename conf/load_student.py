"""Loads the student of a finished run, for scripts and notebooks."""

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
    """Load the student of a finished run. Its files can execute trusted code only.

    Args:
        run: The run directory.
        student: The algorithm as passed to `make_run`; None to build it from the run's `config.yaml`.
        trust: Your packages and modules that `config.yaml` may name, in addition to those of `docs/trust.md`.
        best: Whether to load the student of the best evaluation instead of the last.

    Raises:
        ValueError: If this is not a run directory, its student is simulated, or it has no model yet.
    """
    return TrainedStudent(RunDirectory(Path(run)), partial(build_trusting, trust), best, student)


def build_trusting(trust: Sequence[str], node: Mapping[str, Any]) -> Callable[..., Any]:
    """Like `build`, for untrusted configurations.

    Args:
        trust: As in `load_student`.
        node: As in `build`.
    """
    with trusting(trust):
        return build(node)

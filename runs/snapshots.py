"""Snapshots of teacher and student at each evaluation, for pictures of the curriculum."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..teachers.focus import Focus, FocusBox, FocusGaussian
from .checked_files import TABLE_BYTES, reading
from .run import RunCallback
from .whole_files import AppendFile, FileRecord

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run


@dataclass(frozen=True)
class Snapshot:
    """One moment of a run.

    Attributes:
        step: Training steps so far.
        focus: Focus of the teacher.
        competence: Competence of a simulated student, in [0, 1], shape (cells, cells) with one axis per
            task parameter; None for other students.
    """

    step: int
    focus: Sequence[Focus]
    competence: NDArray[np.float64] | None = None


class SnapshotLog(RunCallback):
    """Appends a snapshot to `snapshots.jsonl` at each evaluation."""

    def __init__(self) -> None:
        self._file: AppendFile | None = None

    def on_start(self, run: Run) -> None:
        self._file = AppendFile(run.directory.snapshots, run.counted_on.get(run.directory.snapshots))

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        plane = evaluation.competence if run.curriculum.space.dim == 2 else None
        focus = run.curriculum.teacher.focus()
        row = {
            "step": evaluation.step,
            "focus": [{"kind": type(part).__name__, **asdict(part)} for part in focus],
            "competence": plane,
        }
        assert self._file is not None
        self._file.append(json.dumps(row, default=np.ndarray.tolist) + "\n")

    def files(self, run: Run) -> Mapping[Path, FileRecord]:
        assert self._file is not None
        return {self._file.path: self._file.record()}


def read_snapshots(path: Path) -> list[Snapshot]:
    """Read the snapshots of a run, oldest first.

    Args:
        path: A `snapshots.jsonl`.

    Raises:
        DamagedFileError: If it cannot be used.
    """
    with reading(path, path.parent, TABLE_BYTES) as file:
        return [_snapshot(json.loads(line)) for line in file]


def _snapshot(row: dict[str, Any]) -> Snapshot:
    competence = None if row["competence"] is None else np.array(row["competence"])
    return Snapshot(row["step"], [_focus(**part) for part in row["focus"]], competence)


def _focus(kind: str, weight: float, **arrays: list[Any]) -> Focus:
    parts = {name: np.array(values) for name, values in arrays.items()}
    return FocusBox(weight, **parts) if kind == FocusBox.__name__ else FocusGaussian(weight, **parts)

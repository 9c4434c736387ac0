"""What teacher and student were like at each evaluation, for pictures of the curriculum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..teachers.focus import Focus, FocusBox, FocusGaussian
from .whole_files import AppendFile


@dataclass(frozen=True)
class Snapshot:
    """One moment of a run.

    Attributes:
        step: Training steps so far.
        focus: Where the teacher looked.
        competence: What a simulated student could do, in [0, 1], shape (cells, cells) with one axis per
            task parameter; None for other students.
    """

    step: int
    focus: Sequence[Focus]
    competence: NDArray[np.float64] | None = None


class SnapshotLog:
    """Appends snapshots to a file of JSON lines.

    Args:
        path: The file.
        length: Bytes to keep of the file; 0 begins a new one.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        self._file = AppendFile(path, length)

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return self._file.length

    def add(self, snapshot: Snapshot) -> None:
        """Append one snapshot."""
        row = {
            "step": snapshot.step,
            "focus": [{"kind": type(part).__name__, **asdict(part)} for part in snapshot.focus],
            "competence": snapshot.competence,
        }
        self._file.append(json.dumps(row, default=np.ndarray.tolist) + "\n")


def read_snapshots(path: Path) -> list[Snapshot]:
    """Read the snapshots of a run, oldest first.

    Args:
        path: The file of a `SnapshotLog`.
    """
    return [_snapshot(json.loads(line)) for line in path.read_text().splitlines()]


def _snapshot(row: dict[str, Any]) -> Snapshot:
    competence = None if row["competence"] is None else np.array(row["competence"])
    return Snapshot(row["step"], [_focus(**part) for part in row["focus"]], competence)


def _focus(kind: str, weight: float, **arrays: list[Any]) -> Focus:
    parts = {name: np.array(values) for name, values in arrays.items()}
    return FocusBox(weight, **parts) if kind == FocusBox.__name__ else FocusGaussian(weight, **parts)

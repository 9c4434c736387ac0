"""The student of a run's best evaluation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .run import RunCallback

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run


class BestStudent(RunCallback):
    """Saves the student of the best evaluation to the folder `best`; the last one is in the run directory.

    The best evaluation is the one with the most tasks mastered; ties are broken by the highest mean return,
    then by the earliest step. Simulated students are not saved.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._score: list[float] | None = None
        self._restored: Mapping[str, Any] = {}

    def on_start(self, run: Run) -> None:
        self._run = run
        if run.is_resumed:
            # The folder may hold a best student from after the checkpoint.
            shutil.rmtree(run.directory.best, ignore_errors=True)
        if self._restored:
            run.directory.best.mkdir()
            for name, content in self._restored.items():
                (run.directory.best / name).write_bytes(content.tobytes())
            self._restored = {}

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        score = [evaluation.mastered_percent, evaluation.return_mean]
        if not evaluation.results or (self._score is not None and score <= self._score):
            return
        self._score = score
        with tempfile.TemporaryDirectory(prefix=".student-", dir=run.directory.path) as folder:
            run.student.save(Path(folder))
            run.directory.best.mkdir(exist_ok=True)
            for file in Path(folder).iterdir():
                file.replace(run.directory.best / file.name)

    def state_dict(self) -> dict[str, Any]:
        """The score and the files themselves, because a state can be older than the best student on disk."""
        assert self._run is not None
        files = self._run.directory.best.glob("*") if self._score is not None else ()
        return {
            "score": self._score,
            "files": {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in files},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._score, self._restored = state["score"], state["files"]

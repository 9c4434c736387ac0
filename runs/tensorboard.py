"""Logs a run to TensorBoard while it trains."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluation.evaluation import evaluation_curves
from ..teachers.recent_episodes import RecentEpisodes
from .hparams import differing, hparam_names, hparams_of, run_name
from .run import RunCallback
from .tensorboard_log import TensorBoardLog
from .whole_files import FileRecord, GrowingFile

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run


class TensorBoard(RunCallback):
    """Writes curves, pictures and the table of hyperparameters to an event file in the run directory."""

    def __init__(self) -> None:
        self._log: TensorBoardLog | None = None
        self._recent: RecentEpisodes | None = None
        self._state: Mapping[str, Any] = {}
        self._pictured = 0
        self._steps: list[int] = []
        self._percents: list[float] = []
        self._files: list[GrowingFile] = []

    def on_start(self, run: Run) -> None:
        for path in run.directory.event_files():
            if path in run.counted_on:
                os.truncate(path, run.counted_on[path].length)
            else:
                path.unlink()
        self._log = TensorBoardLog(run.directory.path)
        self._files = [GrowingFile(path) for path in run.directory.event_files()]
        name = run_name(run.config, run.names, run.directory.path)
        hparams = hparams_of(run.config, run.names, run.said)
        self._log.add_hparams(name, hparams, hparam_names(), differing(hparams, run.said))
        run.logger.output_formats.append(self._log)
        self._recent = RecentEpisodes(run.curriculum)
        if self._state:
            self._recent.load_state_dict(self._state["recent"])

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        step = evaluation.step
        self._steps.append(step)
        self._percents.append(evaluation.mastered_percent)
        curves = evaluation_curves(evaluation, self._steps, self._percents)
        for name, value in curves.items():
            run.logger.record(f"evaluation/{name}", value)
        self._picture(run, evaluation)
        run.logger.dump(step)

    def _picture(self, run: Run, evaluation: Evaluation) -> None:
        from . import task_pictures  # here for start-up time: it imports matplotlib

        assert self._log is not None
        assert self._recent is not None
        space, step = run.curriculum.space, evaluation.step
        tasks, is_random = self._recent.tasks(self._pictured)
        self._pictured = self._recent.total
        if len(tasks):
            focus = run.curriculum.teacher.focus()
            picture = task_pictures.draw_proposals(space, step, tasks, is_random, focus)
            self._log.add_picture("curriculum/proposals", picture, step)
        mastery = task_pictures.draw_evaluation(space, evaluation)
        if mastery is not None:
            self._log.add_picture("evaluation/mastery", mastery, step)

    def add_videos(self, step: int, videos: Mapping[str, bytes]) -> None:
        """Log videos of the student.

        Args:
            step: Training steps so far.
            videos: Contents of GIF files, by the name of the task.
        """
        assert self._log is not None
        for name, gif in videos.items():
            self._log.add_video(f"evaluation/video_{name}", gif, step)

    def files(self, run: Run) -> Mapping[Path, FileRecord]:
        assert self._log is not None
        self._log.writer.flush()
        return {file.path: file.record() for file in self._files}

    def on_training_end(self, run: Run) -> None:
        assert self._log is not None
        if run.steps >= run.settings.total_steps:
            self._log.add_end()
        run.logger.close()

    def state_dict(self) -> dict[str, Any]:
        assert self._recent is not None
        return {
            "recent": self._recent.state_dict(),
            "pictured": self._pictured,
            "steps": list(self._steps),
            "percents": list(self._percents),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self._pictured = state["pictured"]
        self._steps, self._percents = list(state["steps"]), list(state["percents"])

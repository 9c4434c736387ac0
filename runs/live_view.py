"""What TensorBoard shows of a run while it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.logger import Logger

from ..evaluation.evaluate import TaskResult
from ..evaluation.metrics import area_under_curve
from ..teachers.curriculum import Curriculum
from ..teachers.recent_episodes import RecentEpisodes
from .tensorboard_log import HParam, TensorBoardLog


class LiveView:
    """Writes the TensorBoard log of one run.

    Args:
        folder: Where the event file goes.
        name: Of the run.
        curriculum: What is taught.
        hparams: What sets the run apart.
        columns: Hparams that other runs may have; see `TensorBoardLog.add_hparams`.

    Attributes:
        logger: Where curves go; Stable-Baselines3's, for its `set_logger`.
        recent: The latest episodes of the curriculum.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        curriculum: Curriculum,
        hparams: Mapping[str, HParam],
        columns: Iterable[str] = (),
    ) -> None:
        self._log = TensorBoardLog(folder)
        self._log.add_hparams(name, hparams, columns)
        self.logger = Logger(str(folder), [self._log])
        self.recent = RecentEpisodes(curriculum)
        self._curriculum = curriculum
        self._pictured = 0
        self._steps: list[int] = []
        self._percents: list[float] = []

    def add_evaluation(
        self,
        step: int,
        mastered_percent: float,
        results: Sequence[TaskResult] = (),
        competence: NDArray[np.float64] | None = None,
    ) -> None:
        """Show how an evaluation went, before the logger's next dump.

        Args:
            step: Training steps so far.
            mastered_percent: Percentage of the test tasks that were mastered.
            results: One row per test task, if there are any.
            competence: What a simulated student can do, with one axis per parameter that matters.
        """
        self._steps.append(step)
        self._percents.append(mastered_percent)
        self.logger.record("evaluation/area_under_curve", area_under_curve(self._steps, self._percents))
        self._add_pictures(
            step, f"{mastered_percent:.0f}% mastered after {step:,} steps", results, competence
        )

    def _add_pictures(
        self, step: int, title: str, results: Sequence[TaskResult], competence: NDArray[np.float64] | None
    ) -> None:
        from . import task_pictures  # here for start-up time: it imports matplotlib

        space = self._curriculum.space
        tasks, is_random = self.recent.tasks(self._pictured)
        self._pictured = self.recent.heard
        if len(tasks):
            focus = self._curriculum.teacher.focus()
            picture = task_pictures.draw_proposals(space, step, tasks, is_random, focus)
            self._log.add_picture("curriculum/proposals", picture, step)
        if results:
            tested = np.stack([row.task for row in results])
            mastered = np.array([row.mastered for row in results])
            picture = task_pictures.draw_mastery(space, title, tested, mastered)
            self._log.add_picture("evaluation/mastery", picture, step)
        elif competence is not None:
            picture = task_pictures.draw_competence(space.columns, title, competence)
            self._log.add_picture("evaluation/mastery", picture, step)

    def add_videos(self, step: int, videos: Mapping[str, bytes]) -> None:
        """Show videos of the student, as contents of GIF files by the name of what it plays."""
        for name, gif in videos.items():
            self._log.add_video(f"evaluation/video_{name}", gif, step)

    def flush(self) -> None:
        """Write what has not been written yet."""
        self._log.writer.flush()

    def close(self, is_finished: bool) -> None:
        """Write the last of it.

        Args:
            is_finished: Whether the run has come to the end of its budget.
        """
        if is_finished:
            self._log.add_end()
        self.logger.close()

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here."""
        return {
            "recent": self.recent.state_dict(),
            "pictured": self._pictured,
            "steps": list(self._steps),
            "percents": list(self._percents),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self.recent.load_state_dict(state["recent"])
        self._pictured = state["pictured"]
        self._steps, self._percents = list(state["steps"]), list(state["percents"])

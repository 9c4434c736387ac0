"""Callbacks that draw the figure of a run and, on request, its teacher's proposals and videos."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .missing_pictures import draw_missing_pictures
from .run import RunCallback
from .tensorboard import TensorBoard

if TYPE_CHECKING:
    import gymnasium as gym

    from ..evaluation.evaluate import Policy
    from ..evaluation.evaluation import Evaluation
    from .run import Run
    from .student_videos import StudentVideos


class Figure(RunCallback):
    """Draws `curriculum.png` when a run ends: learning curve, tasks over time, tasks mastered."""

    def on_end(self, run: Run) -> None:
        from .run_pictures import draw_curriculum  # here for start-up time: it imports matplotlib

        draw_curriculum(run.directory)


class Pictures(RunCallback):
    """Draws `teacher.png` and `teacher.gif` when a run ends: what the teacher proposed and why."""

    def on_end(self, run: Run) -> None:
        from .run_pictures import draw_teacher  # here for start-up time: it imports matplotlib

        draw_teacher(run.directory)

    def on_finished_already(self, run: Run) -> None:
        draw_missing_pictures(run.directory)


class Videos(RunCallback):
    """Records videos of the student at each evaluation, for TensorBoard.

    Args:
        videos: Plays and records the episodes.
        make_policy: Returns the student's policy for an env.
    """

    def __init__(self, videos: StudentVideos, make_policy: Callable[[gym.Env[Any, Any]], Policy]) -> None:
        self._videos = videos
        self._make_policy = make_policy

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        for callback in run.callbacks.values():
            if isinstance(callback, TensorBoard):
                callback.add_videos(evaluation.step, self._videos.record(self._make_policy))

    def on_training_end(self, run: Run) -> None:
        self._videos.close()

"""What hears of the events of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from ..teachers.episode import Episode
    from .run import Run


class RunCallback:
    """Is called at the events of a run. Every method does nothing unless a subclass overrides it.

    A callback owns the files it writes. What it must remember to be resumed exactly goes into `state_dict`,
    which is part of the run's checkpoints; `load_state_dict` is called before `on_start` when a run is
    resumed.
    """

    def on_start(self, run: Run) -> None:
        """Training is about to start, or to be resumed if `run.is_resumed`."""

    def on_step(self, run: Run) -> None:
        """All envs have made a step, or a simulated student an episode."""

    def on_episode(self, run: Run, episode: Episode) -> None:
        """An episode has ended; the teacher has not been told yet."""

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        """The student has been tested."""

    def on_rollout_start(self, run: Run) -> None:
        """A rollout begins: the state of the run is complete, `run.save_checkpoint()` may be called."""

    def on_checkpoint(self, run: Run) -> None:
        """The state of the run is about to be saved: write what has not been written yet."""

    def on_training_end(self, run: Run) -> None:
        """Training is over, however it ended: write what has not been written yet, and close files."""

    def on_end(self, run: Run) -> None:
        """Training has reached its budget and everything is written."""

    def state_dict(self) -> dict[str, Any]:
        """What the callback must remember: nested dicts and lists of JSON values and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""

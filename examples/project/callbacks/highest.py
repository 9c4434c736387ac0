"""Highest: the greatest height from which an episode has landed, as a TensorBoard curve and a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chiron import Run, RunCallback
from chiron.evaluation.evaluation import Evaluation
from chiron.teachers import Episode


class Highest(RunCallback):
    """Keeps the largest value of one parameter at which a training episode succeeded.

    Args:
        parameter: Its column in the task space.
    """

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter
        self.highest = 0.0

    def on_episode(self, run: Run, episode: Episode) -> None:
        """Update the maximum after a success."""
        if episode.success:
            value = float(episode.task[run.curriculum.space.columns.index(self.parameter)])
            self.highest = max(self.highest, value)

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        """Record a curve alongside those of the run."""
        run.logger.record(f"train/highest_{self.parameter}", self.highest)

    def on_end(self, run: Run) -> None:
        """Write the file."""
        (run.directory.path / f"highest_{self.parameter}.txt").write_text(f"{self.highest}\n")

    def state_dict(self) -> dict[str, float]:
        """The state that a resumed run restores."""
        return {"highest": self.highest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self.highest = state["highest"]

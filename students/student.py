"""What a run needs of a student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stable_baselines3.common.logger import Logger

from ..evaluation.evaluation import Evaluation


class LearningEvents(Protocol):
    """What a student calls while it learns."""

    evaluation_seconds: float
    """Seconds spent in evaluations so far."""

    def on_training_start(self) -> None:
        """Training starts or is resumed; nothing has been learned yet in this process."""

    def on_step(self) -> None:
        """All envs have made a step."""

    def on_rollout_start(self) -> None:
        """A rollout begins: `Student.state_dict` is complete here."""

    def on_training_end(self) -> None:
        """The budget is used up, and everything collected has been learned from."""


class Student(Protocol):
    """Learns from a curriculum, is tested, and can be saved and resumed."""

    @property
    def steps(self) -> int:
        """Training steps so far."""

    @property
    def scheduled(self) -> Sequence[str]:
        """What in its learning changes over the budget, by name: its results depend on the budget."""

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        """Learn until `steps` has reached `total_steps`, recording curves in `logger`."""

    def evaluate(self) -> Evaluation:
        """Test the student as it is now; training is not affected."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly: nested dicts and lists of JSON values and arrays."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from what `state_dict` returned; the curriculum has been restored already."""

    def save(self, folder: Path) -> None:
        """Write what has been learned into a folder."""

    def close(self) -> None:
        """Release processes and envs."""

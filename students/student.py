"""The interface between a run and its student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stable_baselines3.common.logger import Logger

from ..evaluation.evaluation import Evaluation


class LearningEvents(Protocol):
    """Callbacks that a student calls while it learns."""

    evaluation_seconds: float
    """Seconds spent in evaluations so far."""

    def on_training_start(self) -> None:
        """Training starts or is resumed; nothing has been learned yet in this process."""

    def on_step(self) -> None:
        """Every env has made a step."""

    def on_rollout_start(self) -> None:
        """A rollout begins: `Student.state_dict` is complete here."""

    def on_training_end(self) -> None:
        """The budget is used up, and everything collected has been learned from."""


class Student(Protocol):
    """Learns from a curriculum, can be evaluated, saved and resumed."""

    @property
    def steps(self) -> int:
        """Training steps so far."""

    @property
    def scheduled(self) -> Sequence[str]:
        """Names of settings that change over the budget, so that results depend on it."""

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        """Learn until `steps` has reached `total_steps`, recording curves in `logger`."""

    def evaluate(self) -> Evaluation:
        """Evaluate the current student; training is not affected."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly: nested dicts and lists of JSON values and arrays."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict`; the curriculum has already been restored."""

    def save(self, folder: Path) -> None:
        """Write the trained model to a folder."""

    def close(self) -> None:
        """Release processes and envs."""

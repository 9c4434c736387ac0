"""What a curriculum is doing, as curves in the student's logger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from teachers.curriculum import Curriculum

_EVERY_STEPS = 2_000


class CurriculumCallback(BaseCallback):
    """Records the teacher's metrics and the number of episodes, for the logger's next dump.

    Args:
        curriculum: Whose teacher to watch.
    """

    def __init__(self, curriculum: Curriculum) -> None:
        super().__init__()
        self.curriculum = curriculum
        self._recorded_at = 0

    def state_dict(self) -> dict[str, Any]:
        """When something was last recorded, in training steps."""
        return {"recorded_at": self._recorded_at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self._recorded_at = state["recorded_at"]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        # Off-policy students end a rollout every few steps.
        if self.num_timesteps - self._recorded_at < _EVERY_STEPS:
            return
        self._recorded_at = self.num_timesteps
        self.logger.record("curriculum/episodes", self.curriculum.episodes)
        for name, value in self.curriculum.teacher.metrics().items():
            self.logger.record(f"curriculum/{name}", value)

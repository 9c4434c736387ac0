"""Logs the state of a curriculum to the student's logger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from ..teachers.curriculum import Curriculum
from ..teachers.recent_episodes import RecentEpisodes

_EVERY_STEPS = 2_000


class CurriculumCallback(BaseCallback):
    """Records the teacher's metrics and means over the latest episodes, for the logger's next dump.

    Args:
        curriculum: The curriculum, with its teacher.
        recent: The latest episodes of the curriculum.
    """

    def __init__(self, curriculum: Curriculum, recent: RecentEpisodes) -> None:
        super().__init__()
        self.curriculum = curriculum
        self.recent = recent
        self._recorded_at = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        # Off-policy students end a rollout every few steps.
        if self.num_timesteps - self._recorded_at < _EVERY_STEPS:
            return
        self._recorded_at = self.num_timesteps
        for name, value in curriculum_curves(self.curriculum, self.recent).items():
            self.logger.record(name, value)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here; `recent` has its own state."""
        return {"recorded_at": self._recorded_at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self._recorded_at = state["recorded_at"]


def curriculum_curves(curriculum: Curriculum, recent: RecentEpisodes) -> dict[str, float]:
    """The current values of a curriculum's curves, by name.

    Args:
        curriculum: The curriculum, with its teacher.
        recent: The latest episodes of the curriculum.
    """
    metrics = curriculum.teacher.metrics().items()
    return {
        "curriculum/episodes": curriculum.episodes,
        **{f"curriculum/{name}": value for name, value in metrics},
        **recent.means(),
    }

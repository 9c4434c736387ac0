"""Makes a simulated student the student of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import Logger

from ...evaluation.evaluation import Evaluation
from ...teachers.curriculum import Curriculum
from ...teachers.episode import Episode
from ...teachers.recent_episodes import RecentEpisodes
from ..curriculum_callback import curriculum_curves
from ..student import LearningEvents, Student
from .simulated_student import OFFERS, SimulatedStudent

COMPETENCE = "competence.npy"
"""The file of a saved student."""
_POINTS = 100
"""Fewest points of a curve."""


class SimulatedLearner(Student):
    """Trains a simulated student on a curriculum. One episode is one step.

    Args:
        student: The simulated student.
        curriculum: The curriculum.
        n_envs: Episodes in progress at once.
    """

    def __init__(self, student: SimulatedStudent, curriculum: Curriculum, n_envs: int = 1) -> None:
        self._student = student
        self._curriculum = curriculum
        self._n_envs = n_envs
        self._recent = RecentEpisodes(curriculum)

    @property
    def steps(self) -> int:
        return self._curriculum.episodes

    @property
    def offers(self) -> frozenset[str]:
        """Members of `teachers.teacher.NEEDS` that it provides to teachers."""
        return OFFERS

    @property
    def scheduled(self) -> Sequence[str]:
        return []

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        started, steps_before = time.monotonic(), self.steps
        every = max(1, total_steps // _POINTS)

        def record() -> None:
            curves = curriculum_curves(self._curriculum, self._recent)
            speed = (self.steps - steps_before) / (time.monotonic() - started)
            for name, value in {**curves, "speed/steps_per_second": speed}.items():
                logger.record(name, value)
            logger.dump(self.steps)

        def on_episode(episode: Episode) -> None:
            tested = events.evaluation_seconds
            events.on_step()
            if self.steps % every == 0 or events.evaluation_seconds > tested:
                record()
            events.on_rollout_start()

        events.on_training_start()
        if self.steps == 0:
            record()
        self._student.learn(self._curriculum, total_steps, on_episode, self._n_envs)
        events.on_training_end()

    def evaluate(self) -> Evaluation:
        student = self._student
        return Evaluation(
            self.steps, student.mastered_percent, student.return_mean, competence=student.competence_map
        )

    def state_dict(self) -> dict[str, Any]:
        return {"student": self._student.state_dict(), "recent": self._recent.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._student.load_state_dict(state["student"])
        self._recent.load_state_dict(state["recent"])

    def save(self, folder: Path) -> None:
        np.save(folder / COMPETENCE, self._student.competence_map)

    def close(self) -> None:
        pass

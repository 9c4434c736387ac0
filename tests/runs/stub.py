"""A run without a real student, for testing callbacks on their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chiron.evaluation.evaluation import Evaluation
from chiron.runs.run import Run, RunCallback
from chiron.runs.settings import RunSettings
from chiron.students.student import LearningEvents
from chiron.teachers import Curriculum
from stable_baselines3.common.logger import Logger

CONFIG: dict[str, Any] = {"env": {}, "teacher": {}, "seed": 0}
NAMES = {"env": "env", "teacher": "random", "student": "nobody"}


class Nobody:
    """A student that learns nothing."""

    steps = 0
    scheduled: tuple[str, ...] = ()

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        self.steps = total_steps

    def evaluate(self) -> Evaluation:
        return Evaluation(self.steps, 0.0, 0.0)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass

    def save(self, folder: Path) -> None:
        pass

    def close(self) -> None:
        pass


def stub_run(
    folder: Path,
    curriculum: Curriculum,
    callbacks: Mapping[str, RunCallback] | None = None,
    config: Mapping[str, Any] = CONFIG,
    names: Mapping[str, str] = NAMES,
) -> Run:
    settings = RunSettings(total_steps=100)
    return Run(Nobody(), curriculum, settings, folder, callbacks or {}, config, names)

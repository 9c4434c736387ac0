"""Measures what a run spends its time on."""

from __future__ import annotations

import time
from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback


class SpeedCallback(BaseCallback):
    """Records the percentages of the time since the start of learning spent on each activity.

    Playing is choosing actions and stepping envs; learning is everything other than playing and testing.

    Args:
        testing_seconds: Returns the seconds spent testing the student since then, while it played.
    """

    def __init__(self, testing_seconds: Callable[[], float]) -> None:
        super().__init__()
        self.testing_seconds = testing_seconds
        self._playing_seconds = 0.0

    def _on_training_start(self) -> None:
        self._started = time.perf_counter()
        self._tested_before = self.testing_seconds()

    def _on_rollout_start(self) -> None:
        self._rollout_started = time.perf_counter()
        self._tested_before_rollout = self.testing_seconds()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        now = time.perf_counter()
        tested = self.testing_seconds()
        self._playing_seconds += now - self._rollout_started - (tested - self._tested_before_rollout)
        playing, testing = (
            100 * seconds / (now - self._started)
            for seconds in (self._playing_seconds, tested - self._tested_before)
        )
        self.logger.record("speed/playing_percent", playing)
        self.logger.record("speed/evaluation_percent", testing)
        self.logger.record("speed/learning_percent", 100 - playing - testing)

"""Saves checkpoints of a run at intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .run import RunCallback

if TYPE_CHECKING:
    from .run import Run
    from .settings import CheckpointSettings


class Checkpointer(RunCallback):
    """Saves the state of a run at intervals of steps or minutes, and before its last rollout.

    A finished run can be continued exactly from there, because nothing earlier depends on the budget. If
    rollouts differ in length, a rollout counts as last if one of the longest length so far would be.

    Args:
        settings: The intervals, each of which may be None, and whether a finished run keeps its last state.
    """

    def __init__(self, settings: CheckpointSettings) -> None:
        self._every_steps = settings.every_steps
        self._every_seconds = settings.every_minutes and 60 * settings.every_minutes
        self._keeps_last = settings.keep_last
        self._step, self._time = 0, 0.0
        self._rollout_start, self._longest_rollout = 0, 0

    def on_start(self, run: Run) -> None:
        self._saved(run.steps)
        self._rollout_start = run.steps

    def on_rollout_start(self, run: Run) -> None:
        self._longest_rollout = max(self._longest_rollout, run.steps - self._rollout_start)
        self._rollout_start = run.steps
        # Simulated students also get here after the last episode; a larger budget would evaluate them first.
        if run.steps >= run.settings.total_steps:
            return
        by_steps = self._every_steps is not None and run.steps - self._step >= self._every_steps
        # Monotonic, because the wall clock may jump.
        waited = time.monotonic() - self._time
        by_time = self._every_seconds is not None and waited >= self._every_seconds
        if by_steps or by_time or self._may_be_last(run):
            run.save_checkpoint()
            self._saved(run.steps)

    def _may_be_last(self, run: Run) -> bool:
        """Whether the starting rollout may use up the budget and its start has not been saved yet."""
        if not self._keeps_last or (run.is_resumed and run.steps == self._step):
            return False
        return not self._longest_rollout or run.steps + self._longest_rollout >= run.settings.total_steps

    def _saved(self, step: int) -> None:
        self._step, self._time = step, time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"longest_rollout": self._longest_rollout}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._longest_rollout = state.get("longest_rollout", 0)

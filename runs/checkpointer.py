"""When a run's state is saved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .run import RunCallback

if TYPE_CHECKING:
    from .run import Run
    from .settings import CheckpointSettings


class Checkpointer(RunCallback):
    """Saves the state of a run every so many steps or minutes, whichever comes first.

    Args:
        settings: The intervals; each may be None.
    """

    def __init__(self, settings: CheckpointSettings) -> None:
        self._every_steps = settings.every_steps
        self._every_seconds = settings.every_minutes and 60 * settings.every_minutes
        self._step, self._time = 0, 0.0

    def on_start(self, run: Run) -> None:
        self._saved(run.steps)

    def on_rollout_start(self, run: Run) -> None:
        by_steps = self._every_steps is not None and run.steps - self._step >= self._every_steps
        # A monotonic clock: that of the wall may jump.
        waited = time.monotonic() - self._time
        if by_steps or (self._every_seconds is not None and waited >= self._every_seconds):
            run.save_checkpoint()
            self._saved(run.steps)

    def _saved(self, step: int) -> None:
        self._step, self._time = step, time.monotonic()

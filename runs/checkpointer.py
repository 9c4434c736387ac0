"""When a run keeps its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .run_directory import RunDirectory


class Checkpointer:
    """Keeps the state of a run every so many steps or minutes.

    Args:
        directory: Of the run.
        every: `every_steps` and `every_minutes` of a configuration, each possibly None.
        state: Returns the state.
        step: Steps made so far; the first checkpoint is due one interval later.
    """

    def __init__(
        self,
        directory: RunDirectory,
        every: Mapping[str, Any],
        state: Callable[[], dict[str, Any]],
        step: int,
    ) -> None:
        self._directory = directory
        self._state = state
        self._every_steps = every["every_steps"]
        self._every_seconds = every["every_minutes"] and 60 * every["every_minutes"]
        self._kept(step)

    def hear(self, step: int) -> None:
        """To be called wherever the state can be taken: takes it if it is time.

        Args:
            step: Steps made so far.
        """
        by_steps = self._every_steps is not None and step - self._step >= self._every_steps
        # A monotonic clock: that of the wall may jump.
        waited = time.monotonic() - self._time
        if by_steps or (self._every_seconds is not None and waited >= self._every_seconds):
            self._directory.keep_checkpoint(step, self._state())
            self._kept(step)

    def _kept(self, step: int) -> None:
        self._step, self._time = step, time.monotonic()

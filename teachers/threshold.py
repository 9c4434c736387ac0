"""The lowest score that counts as a success for a teacher."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from .episode import Episode

_PATIENCE = 1_000
"""Number of episodes after which to warn that none has reached the threshold."""


class Threshold:
    """A score given by the user or by the env, with a single warning if no episode reaches it.

    Args:
        value: The score; None uses the env's mastered return.
        name: Name of the teacher's argument, for messages.

    Attributes:
        value: The score in use; None until the first episode if it is the env's.
    """

    def __init__(self, value: float | None, name: str = "threshold") -> None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name}={value} must be a finite number")
        self._name = name
        self.value = value
        self._waiting = 0
        self._best = -math.inf

    def of(self, episode: Episode) -> float:
        """The threshold for a finished episode, whose score counts for the warning.

        Raises:
            ValueError: If neither the user nor the env gives a threshold.
        """
        self.value = self.known(episode.mastered_score)
        if self._best < self.value:
            self._wait(episode.score)
        return self.value

    def known(self, mastered_score: float | None) -> float:
        """The threshold in an env with this mastered score.

        Raises:
            ValueError: If neither the user nor the env gives a threshold.
        """
        if self.value is not None:
            return self.value
        if mastered_score is None:
            raise ValueError(
                f"{self._name}=None must be a number, because the env declares no mastered_return"
            )
        return mastered_score

    def _wait(self, score: float) -> None:
        self._best = max(self._best, score)
        self._waiting += 1
        if self._waiting == _PATIENCE + 1:
            warnings.warn(
                f"{self._name}={self.value:g} was reached by none of the first {_PATIENCE} episodes, whose "
                f"best score is {self._best:g}: until one does, this teacher goes on as at the start",
                stacklevel=4,
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        return {"value": self.value, "waiting": self._waiting, "best": self._best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self.value, self._waiting, self._best = state["value"], state["waiting"], state["best"]

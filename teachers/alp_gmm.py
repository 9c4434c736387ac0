"""ALP-GMM: proposes tasks where the student's return changes most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .episode import Episode
from .gaussian_mixtures import Gaussians
from .mixture_teacher import MixtureTeacher
from .task_history import TaskHistory

_FIRST_COMPARED = 6
"""Learning progress counts as 0 before this many episodes."""


class ALPGMM(MixtureTeacher):
    """Absolute learning progress with Gaussian mixture models (Portelas et al., CoRL 2019, algorithm 1).

    The absolute learning progress (ALP) of an episode is |r - r'|, where r' is the return of the nearest
    earlier task. Gaussians are fitted to rows (task, ALP), and one is chosen in proportion to its mean ALP.
    The arguments are those of `MixtureTeacher`, with the paper's defaults.
    """

    added_numbers = 1

    def _prepare(self) -> None:
        self._history = TaskHistory(self.space.dim)

    def _added(self, episode: Episode) -> tuple[float]:
        known = self._history.exchange(episode.proposal, episode.score)
        if known is None or self.episodes < _FIRST_COMPARED:
            return (0.0,)
        return (abs(episode.score - known),)

    def _worth(self, gaussians: Gaussians) -> NDArray[np.float64]:
        return gaussians.means[:, -1]

    def metrics(self) -> dict[str, float]:
        alp = self._rows[: self.episodes, -1]
        return {"alp_mean": float(alp.mean()) if len(alp) else 0.0, **super().metrics()}

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "history": self._history.state_dict()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        super()._load_state(state)
        self._history.load_state_dict(state["history"])

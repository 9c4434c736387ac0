"""Headway without one of its parts (docs/studies/headway): classes for `teacher._target_`."""

from __future__ import annotations

from typing import Any

import numpy as np
from chiron.teachers.headway import Headway
from numpy.typing import NDArray


class FixedBandwidths(Headway):
    """Headway whose bandwidths stay at their first value, 0.16."""

    def _choose_bandwidths(self, *arguments: Any) -> None:
        super()._choose_bandwidths(*arguments)
        self.bandwidths = np.full(self.space.dim, 0.16)


class GainOnly(Headway):
    """Headway that proposes by expected gain alone."""

    def _weighed(self, *arguments: Any) -> NDArray[np.float64]:
        least_change, self.least_change = self.least_change, np.inf
        weights = super()._weighed(*arguments)
        self.least_change = least_change
        return weights


class UniformCandidates(Headway):
    """Headway whose candidates are all uniform."""

    def _candidates(self) -> NDArray[np.float64]:
        return self.rng.random((self.candidates, self.space.dim))

"""Covar-GMM: proposes tasks where the student's return increases over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .episode import Episode
from .gaussian_mixtures import Gaussians
from .mixture_teacher import MixtureTeacher


class CovarGMM(MixtureTeacher):
    """Gaussian mixtures over task, time and return (Moulin-Frier et al., 2014; as in Portelas et al., 2019).

    Gaussians are fitted to rows (task, time, return), where time is an episode's position within the batch
    that is fitted, from 0 to 1. One is chosen in proportion to its covariance of time and return, if this is
    positive, i.e. if returns increase. The arguments are those of `MixtureTeacher`, with the defaults of the
    CoRL 2019 paper.
    """

    added_numbers = 2

    def _added(self, episode: Episode) -> tuple[float, float]:
        return self.episodes % self.fit_rate / self.fit_rate, episode.score

    def _worth(self, gaussians: Gaussians) -> NDArray[np.float64]:
        return gaussians.covariances[:, -2, -1]

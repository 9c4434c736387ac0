"""Teachers: who chooses the next task, and the curriculum that carries their choices to a student."""

from .alp_gmm import ALPGMM
from .covar_gmm import CovarGMM
from .curriculum import Curriculum
from .oracle import Oracle
from .random import Random
from .riac import RIAC
from .teacher import EpisodeResult, Proposal, Teacher

__all__ = [
    "ALPGMM",
    "RIAC",
    "CovarGMM",
    "Curriculum",
    "EpisodeResult",
    "Oracle",
    "Proposal",
    "Random",
    "Teacher",
]

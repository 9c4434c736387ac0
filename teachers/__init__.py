"""Teachers, which choose the next task, and the curriculum between a teacher and a student."""

from .alp_gmm import ALPGMM
from .covar_gmm import CovarGMM
from .curriculum import Curriculum
from .episode import Episode
from .oracle import Oracle
from .proposal import Proposal, Proposals
from .random import Random
from .riac import RIAC
from .teacher import Teacher

__all__ = [
    "ALPGMM",
    "RIAC",
    "CovarGMM",
    "Curriculum",
    "Episode",
    "Oracle",
    "Proposal",
    "Proposals",
    "Random",
    "Teacher",
]

"""Teachers, which choose the next task, and the curriculum between a teacher and a student."""

from .adr import ADR
from .alp_gmm import ALPGMM
from .covar_gmm import CovarGMM
from .curriculum import Curriculum
from .currot import CURROT
from .doraemon import DORAEMON
from .episode import Episode
from .goal_gan import GoalGAN
from .grid_lp import GridLP
from .learnability import Learnability
from .oracle import Oracle
from .proposal import Proposal, Proposals
from .random import Random
from .riac import RIAC
from .spdl import SPDL
from .teacher import Teacher

__all__ = [
    "ADR",
    "ALPGMM",
    "CURROT",
    "DORAEMON",
    "RIAC",
    "SPDL",
    "CovarGMM",
    "Curriculum",
    "Episode",
    "GoalGAN",
    "GridLP",
    "Learnability",
    "Oracle",
    "Proposal",
    "Proposals",
    "Random",
    "Teacher",
]

"""Teachers, which choose the next task, and the curriculum between a teacher and a student."""

from .accel import ACCEL
from .adr import ADR
from .alp_gmm import ALPGMM
from .covar_gmm import CovarGMM
from .critic_scores import CriticScores
from .curriculum import Curriculum
from .currot import CURROT
from .doraemon import DORAEMON
from .episode import Episode
from .goal_gan import GoalGAN
from .grid_lp import GridLP
from .headway import Headway
from .learnability import Learnability
from .oracle import Oracle
from .plr import PLR
from .proposal import Proposal, Proposals
from .random import Random
from .riac import RIAC
from .setter_solver import SetterSolver
from .spdl import SPDL
from .teacher import Teacher

__all__ = [
    "ACCEL",
    "ADR",
    "ALPGMM",
    "CURROT",
    "DORAEMON",
    "PLR",
    "RIAC",
    "SPDL",
    "CovarGMM",
    "CriticScores",
    "Curriculum",
    "Episode",
    "GoalGAN",
    "GridLP",
    "Headway",
    "Learnability",
    "Oracle",
    "Proposal",
    "Proposals",
    "Random",
    "SetterSolver",
    "Teacher",
]

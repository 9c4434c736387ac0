"""Teachers: who chooses the next task, and the curriculum that carries their choices to a student."""

from teachers.alp_gmm import ALPGMM
from teachers.covar_gmm import CovarGMM
from teachers.curriculum import Curriculum
from teachers.oracle import Oracle
from teachers.random import Random
from teachers.riac import RIAC
from teachers.teacher import EpisodeResult, Proposal, Teacher

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

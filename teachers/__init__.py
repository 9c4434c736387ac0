"""Teachers: who chooses the next task, and the curriculum that carries their choices to a student."""

from teachers.alp_gmm import ALPGMM
from teachers.curriculum import Curriculum
from teachers.random import Random
from teachers.teacher import EpisodeResult, Proposal, Teacher

__all__ = ["ALPGMM", "Curriculum", "EpisodeResult", "Proposal", "Random", "Teacher"]

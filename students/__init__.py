"""Students: the adapter from a curriculum to any Stable-Baselines3 algorithm, and faster algorithms."""

from ..envs.finite import NotFiniteError
from .curriculum_vec_env import CurriculumVecEnv
from .fast.fast_ppo import FastPPO
from .fast.fast_sac import FastSAC
from .fast.overlapped_sac import OverlappedSAC
from .teacher_feedback import offers_of, teacher_feedback

__all__ = [
    "CurriculumVecEnv",
    "FastPPO",
    "FastSAC",
    "NotFiniteError",
    "OverlappedSAC",
    "offers_of",
    "teacher_feedback",
]

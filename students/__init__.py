"""Students: adapters from a curriculum to any learner, and faster algorithms of Stable-Baselines3."""

from ..envs.finite import NotFiniteError
from .batch_curriculum import BatchCurriculum
from .curriculum_vec_env import CurriculumVecEnv
from .curriculum_vector_env import CurriculumVectorEnv
from .fast.fast_ppo import FastPPO
from .fast.fast_sac import FastSAC
from .fast.overlapped_sac import OverlappedSAC
from .teacher_feedback import offers_of, teacher_feedback

__all__ = [
    "BatchCurriculum",
    "CurriculumVecEnv",
    "CurriculumVectorEnv",
    "FastPPO",
    "FastSAC",
    "NotFiniteError",
    "OverlappedSAC",
    "offers_of",
    "teacher_feedback",
]

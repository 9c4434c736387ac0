"""Students: the adapter that lets any Stable-Baselines3 algorithm learn from a curriculum; fast learners."""

from .curriculum_vec_env import CurriculumVecEnv, NotFiniteError
from .fast.fast_ppo import FastPPO
from .fast.fast_sac import FastSAC
from .fast.overlapped_sac import OverlappedSAC

__all__ = ["CurriculumVecEnv", "FastPPO", "FastSAC", "NotFiniteError", "OverlappedSAC"]

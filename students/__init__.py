"""Students: the adapter that lets any Stable-Baselines3 algorithm learn from a curriculum; fast learners."""

from students.curriculum_vec_env import CurriculumVecEnv, NotFiniteError
from students.fast_ppo import FastPPO
from students.fast_sac import FastSAC
from students.overlapped_sac import OverlappedSAC

__all__ = ["CurriculumVecEnv", "FastPPO", "FastSAC", "NotFiniteError", "OverlappedSAC"]

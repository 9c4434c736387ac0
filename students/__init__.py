"""Students: the adapter that lets any Stable-Baselines3 algorithm learn from a curriculum, and a fast SAC."""

from students.curriculum_vec_env import CurriculumVecEnv, NotFiniteError
from students.fast_sac import FastSAC

__all__ = ["CurriculumVecEnv", "FastSAC", "NotFiniteError"]

"""Students: the adapter that lets any Stable-Baselines3 algorithm learn from a curriculum."""

from students.curriculum_vec_env import CurriculumVecEnv, NotFiniteError

__all__ = ["CurriculumVecEnv", "NotFiniteError"]

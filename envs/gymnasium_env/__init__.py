"""Any Gymnasium env with some of its numbers as the task, by configuration."""

from .gymnasium_env import GymnasiumEnv

__all__ = ["GymnasiumEnv"]

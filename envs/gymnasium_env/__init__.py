"""Any Gymnasium env with some of its numbers as task, by configuration."""

from .gymnasium_env import GymnasiumEnv

__all__ = ["GymnasiumEnv"]

"""What a finished run has learned, ready to play."""

from __future__ import annotations

import pkgutil
from functools import cached_property
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from ..evaluation.evaluate import Policy
from .run_directory import RunDirectory


class TrainedStudent:
    """The student of a run, and what it needs to know about its env.

    Args:
        directory: The run's directory.

    Raises:
        ValueError: If no run lies there, its student is simulated, or it has left no model yet.

    Attributes:
        directory: The run's directory.
        env: The configuration of the env it was trained in.
        action_repeat: For how many steps of the env it holds an action.
    """

    def __init__(self, directory: RunDirectory) -> None:
        config = directory.read_config()
        if config is None:
            raise ValueError(f"run={directory.path} is not a run directory: it holds no config.yaml")
        self.env: dict[str, Any] = config["env"]
        if self.env["_target_"] is None:
            raise ValueError(f"run={directory.path} has a simulated student, which has no env")
        if not directory.model.exists():
            raise ValueError(f"run={directory.path} has no model.zip yet")
        self.action_repeat: int = config["student"].get("action_repeat", 1)
        self._algorithm: str = config["student"]["_target_"]
        self.directory = directory

    def policy(self, env: gym.Env[Any, Any]) -> Policy:
        """The deterministic policy, which normalises observations as in training.

        Args:
            env: The env it is going to act in.
        """
        model = self._model
        if not self.directory.normalization.exists():
            return lambda observation: model.predict(observation, deterministic=True)[0]
        normalizer = VecNormalize.load(str(self.directory.normalization), DummyVecEnv([lambda: env]))

        def act(observation: Any) -> Any:
            return model.predict(normalizer.normalize_obs(np.asarray(observation)), deterministic=True)[0]

        return act

    @property
    def steps(self) -> int:
        """Training steps that the model has behind it."""
        return self._model.num_timesteps

    @cached_property
    def _model(self) -> BaseAlgorithm:
        algorithm: type[BaseAlgorithm] = pkgutil.resolve_name(self._algorithm)
        return algorithm.load(self.directory.model, device="cpu")


def load_student(run: str | Path) -> TrainedStudent:
    """The student of a finished run.

    Args:
        run: The run's directory.

    Raises:
        ValueError: If no run lies there, its student is simulated, or it has left no model yet.
    """
    return TrainedStudent(RunDirectory(Path(run)))

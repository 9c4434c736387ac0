"""What a run has learned, ready to play."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium as gym

from ..students.saved_student import MODEL, NORMALIZATION, load_student_model, saved_steps
from ..students.sb3_policy import Envs, SB3Policy
from ..students.sb3_student import SB3Adapter
from .blaming import blaming
from .checked_files import DamagedFileError, reason_of
from .memory import require_room_for_network
from .run_directory import RunDirectory

Build = Callable[[Mapping[str, Any]], Callable[..., Any]]
"""Turns the node of a component in a configuration into what makes it, as `chiron.conf.build.build` does."""


class TrainedStudent:
    """The student of a run, and what it needs to know about its env.

    It is made as for training, from the run's configuration, and reads tensors and arrays from the run's
    files: nothing in them is executed.

    Args:
        directory: The run's directory.
        build: Makes the algorithm of its configuration.
        best: Whether to take the student of the best evaluation instead of the last.

    Raises:
        ValueError: If no run lies there, its student is simulated, or it has left no model yet.

    Attributes:
        directory: The run's directory.
        env: The configuration of the env it was trained in.
        action_repeat: For how many steps of the env it holds an action.
        is_best: Whether it is the student of the best evaluation.
    """

    def __init__(self, directory: RunDirectory, build: Build, best: bool = False) -> None:
        config = directory.read_config()
        if config is None:
            raise ValueError(f"run={directory.path} is not a run directory: it holds no config.yaml")
        for group in ("env", "student"):
            if not isinstance(config.get(group), dict) or "_target_" not in config[group]:
                raise DamagedFileError(f"{directory.config} does not say what the run's {group} is")
        directory.require_unchanged(directory.config)
        self.env: dict[str, Any] = config["env"]
        if self.env["_target_"] is None:
            raise ValueError(f"run={directory.path} has a simulated student, which has no env")
        self.is_best = best
        self._folder = directory.best if best else directory.path
        if not (self._folder / MODEL).exists():
            raise ValueError(f"run={directory.path} has no {'best/' if best else ''}{MODEL} yet")
        directory.require_unchanged(self._folder / MODEL, self._folder / NORMALIZATION)
        self._algorithm: dict[str, Any] = dict(config["student"])
        self._adapter = SB3Adapter.taken_from(self._algorithm)
        self.action_repeat = self._adapter.action_repeat
        self.directory = directory
        self._build = build

    def policy(self, envs: Envs) -> SB3Policy:
        """The deterministic policy, which normalises observations as in training.

        Args:
            envs: Where it is going to act: one env, or a vector env.

        Raises:
            ValueError: If its files are missing or damaged, or the envs have other spaces than in training.
        """
        if isinstance(envs, gym.Env):
            observations, actions = envs.observation_space, envs.action_space
        else:
            observations, actions = envs.single_observation_space, envs.single_action_space
        with blaming(f"run={self.directory.path}"):
            algorithm = self._build(self._algorithm)
            if isinstance(algorithm, partial):
                require_room_for_network(algorithm, observations)
            normalize = self._adapter.vec_normalize
            try:
                model = load_student_model(algorithm, normalize, observations, actions, self._folder)
            except (ValueError, TypeError, AssertionError):
                raise
            # Of networks or arrays that a strange file declares, for one.
            except Exception as error:
                raise DamagedFileError(f"its student cannot be made: {reason_of(error)}") from error
            return SB3Policy(model, envs)

    @property
    def steps(self) -> int:
        """Training steps that the model has behind it."""
        return saved_steps(self._folder / MODEL)

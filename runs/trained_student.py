"""The trained student of a run, ready to act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from ..envs.vector.action_repeat import repeat_actions
from ..students.saved_student import load_student_model, model_in, saved_steps
from ..students.sb3_policy import Envs, SB3Policy, chosen_actions, takes_action_masks
from ..students.sb3_student import SB3Adapter
from .blaming import blaming
from .checked_files import DamagedFileError, reason_of
from .memory import require_room_for_network
from .run_directory import RunDirectory

Build = Callable[[Mapping[str, Any]], Callable[..., Any]]
"""Turns the configuration of a component into a callable that makes it, like `chiron.conf.build.build`."""


class TrainedStudent:
    """The trained student of a run, and the settings of its env.

    It is built as for training, from the run's configuration, and then loads tensors and arrays from the
    run's files: nothing in them is executed.

    Args:
        directory: The run directory.
        build: Builds the algorithm from its configuration.
        best: Whether to load the student of the best evaluation instead of the last.
        algorithm: The algorithm with its arguments; None to let `build` make it.

    Raises:
        ValueError: If this is not a run directory, its student is simulated, or it has no model yet.

    Attributes:
        directory: The run directory.
        folder: Folder of the student's files: the run directory, or `best` in it.
        env: The configuration of the env it was trained in.
        action_repeat: Number of env steps for which each action is repeated.
        is_best: Whether it is the student of the best evaluation.
    """

    def __init__(
        self,
        directory: RunDirectory,
        build: Build,
        best: bool = False,
        algorithm: Callable[..., Any] | None = None,
    ) -> None:
        config = directory.require_student(best)
        self.env: dict[str, Any] = config["env"]
        self.is_best = best
        self.folder = directory.best if best else directory.path
        self._arguments: dict[str, Any] = dict(config["student"])
        self._adapter = SB3Adapter.taken_from(self._arguments)
        self._algorithm = algorithm
        self.action_repeat = self._adapter.action_repeat
        self.directory = directory
        self._build = build

    def make_env(self) -> gym.Env[Any, Any]:
        """An env like the one it was trained in, with the same action repeat.

        Raises:
            ValueError: If the run's configuration names an env that is not trusted or cannot be made.
        """
        with blaming(f"run={self.directory.path}"):
            return repeat_actions(self._build(self.env), self.action_repeat)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[Any, Any]:
        """Choose actions like `predict` of Stable-Baselines3, for observations of envs from `make_env`.

        Args:
            observation: An observation of an env, not normalised, or a batch of observations.
            state: State returned by the last call; None at the start of an episode.
            episode_start: Whether the observation is the first of an episode, shape (n,); for batches only.
            deterministic: Whether to take the most probable action instead of sampling one.
            action_masks: Result of `env.action_masks()`, for algorithms with action masking.

        Returns:
            One action, or a batch of them, and the state to pass to the next call.

        Raises:
            ValueError: If masks are missing or not supported, or the student's files are missing or damaged.
        """
        model, name = self._model, type(self._model).__name__
        if takes_action_masks(model) != (action_masks is not None):
            raise ValueError(
                f"{name} needs action_masks=env.get_wrapper_attr('action_masks')()"
                if action_masks is None
                else f"{name} takes no action_masks"
            )
        return chosen_actions(model, observation, state, episode_start, deterministic, action_masks)

    def policy(self, envs: Envs) -> SB3Policy:
        """The deterministic policy, which normalises observations as in training.

        Args:
            envs: The env or vector env to act in. The policy does not repeat actions: `make_env` and
                `ActionRepeat` do.

        Raises:
            ValueError: If its files are missing or damaged, or the envs have other spaces than in training.
        """
        if isinstance(envs, gym.Env):
            model = self._load(envs.observation_space, envs.action_space)
        else:
            model = self._load(envs.single_observation_space, envs.single_action_space)
        with blaming(f"run={self.directory.path}"):
            return SB3Policy(model, envs)

    @cached_property
    def _model(self) -> BaseAlgorithm:
        env = self.make_env()
        try:
            return self._load(env.observation_space, env.action_space)
        finally:
            env.close()

    def _load(self, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> BaseAlgorithm:
        with blaming(f"run={self.directory.path}"):
            algorithm = self._algorithm or self._build(self._arguments)
            if isinstance(algorithm, partial):
                require_room_for_network(algorithm, observations)
            normalize = self._adapter.vec_normalize
            try:
                return load_student_model(algorithm, normalize, observations, actions, self.folder)
            except (ValueError, TypeError, AssertionError):
                raise
            # For example, because of network or array sizes declared by an untrusted file.
            except Exception as error:
                raise DamagedFileError(f"its student cannot be made: {reason_of(error)}") from error

    @property
    def steps(self) -> int:
        """Number of training steps of the model."""
        return saved_steps(model_in(self.folder))

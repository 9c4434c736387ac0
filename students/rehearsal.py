"""Tries out an algorithm before a run: it plays and learns for a moment."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

_EPISODE = 2
"""Steps per episode, so that some end."""
_MOST: Mapping[str, int] = {
    "n_steps": 4,
    "n_epochs": 1,
    "batch_size": 8,
    "train_freq": 2,
    "gradient_steps": 2,
    "n_critic_updates": 1,
    "cg_max_steps": 2,
    "line_search_max_iter": 2,
}
"""Reduced values of arguments that determine how much is done, not what."""
_PER_ENV = {"buffer_size": 64, "learning_starts": 2 * _EPISODE}
"""The same, times the number of envs."""
_TOTAL_PER_ENV = 10


def rehearse(make_algorithm: partial[Any], wrapped: Callable[[VecEnv], VecEnv], vec_env: VecEnv) -> None:
    """Let an algorithm collect experience and learn from it in an env with made-up observations.

    Errors in arguments that an algorithm notices only when it plays or learns are raised here, in a fraction
    of a second and without writing anything. Amounts, such as the length of a rollout, are reduced. Global
    random generators are drawn from.

    Args:
        make_algorithm: The algorithm's class with its arguments.
        wrapped: Wraps the envs as for training.
        vec_env: Its envs, which are not stepped.
    """
    envs = MadeUpVecEnv(vec_env)
    # Arguments may be stateful objects, such as noise.
    args, keywords = copy.deepcopy((make_algorithm.args, make_algorithm.keywords))
    reduced = _reduced(make_algorithm.func, keywords, envs.num_envs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_algorithm.func(*args, **{**reduced, "env": wrapped(envs), "seed": 0, "device": "cpu"})
        # An algorithm's default logger writes to a folder.
        model.set_logger(Logger(None, []))
        model.learn(_TOTAL_PER_ENV * envs.num_envs)


def _reduced(algorithm: Callable[..., Any], keywords: dict[str, Any], n_envs: int) -> dict[str, Any]:
    parameters = inspect.signature(algorithm).parameters
    for key, most in {**_MOST, **{key: n_envs * most for key, most in _PER_ENV.items()}}.items():
        if key not in parameters:
            continue
        value = keywords.get(key, parameters[key].default)
        if isinstance(value, int) and value > most:
            keywords[key] = most
        elif isinstance(value, tuple) and value and isinstance(value[0], int):
            keywords[key] = (min(value[0], most), *value[1:])
    keywords.pop("tensorboard_log", None)
    return keywords


class MadeUpVecEnv(VecEnv):
    """A stand-in for a `VecEnv` with the same number of envs and spaces, and two-step random episodes.

    Args:
        vec_env: The `VecEnv` to stand in for.
    """

    def __init__(self, vec_env: VecEnv) -> None:
        self._like = vec_env
        observations, actions = copy.deepcopy((vec_env.observation_space, vec_env.action_space))
        observations.seed(0)
        super().__init__(vec_env.num_envs, observations, actions)
        self._steps = 0

    def reset(self) -> VecEnvObs:
        observations: VecEnvObs = self._observations()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        pass

    def step_wait(self) -> VecEnvStepReturn:
        self._steps += 1
        over = self._steps % _EPISODE == 0
        observations = self._observations()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over:
            episode = {"r": 0.0, "l": _EPISODE, "t": 0.0}
            for slot, info in enumerate(infos):
                info |= {"terminal_observation": _at(observations, slot), "TimeLimit.truncated": False}
                info["episode"] = episode
        rewards = np.linspace(-1, 1, self.num_envs, dtype=np.float32)
        return observations, rewards, np.full(self.num_envs, over), infos

    def _observations(self) -> Any:
        drawn = [self.observation_space.sample() for _ in range(self.num_envs)]
        if isinstance(self.observation_space, spaces.Dict):
            return {key: np.stack([one[key] for one in drawn]) for key in self.observation_space}
        return np.stack(drawn)

    def close(self) -> None:
        pass

    def has_attr(self, attr_name: str) -> bool:
        return self._like.has_attr(attr_name)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return self._like.get_attr(attr_name, indices)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        pass

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        slots = list(self._get_indices(indices))
        if method_name == "compute_reward":  # of envs with goals
            return [np.zeros(len(args[0]), np.float32) for _ in slots]
        if method_name == "action_masks":
            return [np.ones(_choices(self.action_space), np.bool_) for _ in slots]
        return self._like.env_method(method_name, *args, indices=indices, **kwargs)

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


def _choices(space: spaces.Space[Any]) -> int:
    """Number of choices that an action mask covers."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    return 2 * int(np.prod(space.shape or ()))


def _at(observations: Any, slot: int) -> Any:
    if isinstance(observations, dict):
        return {key: part[slot] for key, part in observations.items()}
    return observations[slot]

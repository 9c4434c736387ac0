"""A policy of Stable-Baselines3 or sb3-contrib that acts as its algorithm does in training."""

from __future__ import annotations

import inspect
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm

Envs = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]
"""One env, or several as one vector env."""

_UNDERSTOOD = {"observation", "state", "episode_start", "deterministic", "action_masks"}
"""Arguments of `predict` that `SB3Policy` passes."""


class SB3Policy:
    """The current deterministic policy of an algorithm.

    Observations are normalised as in training. The state of recurrent networks is kept between calls, for
    each env, and algorithms that take action masks get those of the envs.

    Args:
        model: The algorithm. Its `VecNormalize`, if it has one, normalises observations.
        envs: The env or vector env to act in.

    Raises:
        ValueError: If the algorithm cannot act there; see `require_served`.
    """

    def __init__(self, model: BaseAlgorithm, envs: Envs) -> None:
        require_served(model, envs)
        self._model = model
        self._envs = envs
        self._state: tuple[np.ndarray[Any, Any], ...] | None = None
        self._takes_masks = takes_action_masks(model)

    def __call__(self, observations: Any, episode_starts: Any = False) -> Any:
        """Choose actions.

        Args:
            observations: An observation of one env, or a batch.
            episode_starts: Whether the observation is the first of an episode; shape (n,) for a batch.

        Returns:
            One action, or a batch of them.
        """
        masks = self._action_masks() if self._takes_masks else None
        starts = np.atleast_1d(episode_starts)
        actions, self._state = chosen_actions(self._model, observations, self._state, starts, True, masks)
        return actions

    def _action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if isinstance(self._envs, VectorEnv):
            return np.stack(self._envs.call("action_masks"))  # type: ignore[attr-defined]  # see below
        return np.asarray(self._envs.get_wrapper_attr("action_masks")())


def chosen_actions(
    model: BaseAlgorithm,
    observations: Any,
    state: Any,
    episode_start: np.ndarray[Any, np.dtype[np.bool_]] | None,
    deterministic: bool,
    action_masks: np.ndarray[Any, np.dtype[np.bool_]] | None,
) -> tuple[Any, Any]:
    """The result of an algorithm's `predict` for observations that are not normalised yet.

    Args:
        model: The algorithm. Its `VecNormalize`, if it has one, normalises observations.
        observations: An observation of one env, or a batch.
        state: State of a recurrent network; None at the start of an episode.
        episode_start: Whether the observation is the first of an episode, shape (n,).
        deterministic: Whether to take the most probable action instead of sampling one.
        action_masks: Which actions are allowed; None for algorithms without action masking.

    Returns:
        One action, or a batch of them, and the next state.
    """
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None:
        observations = normalizer.normalize_obs(observations)
    masks = {} if action_masks is None else {"action_masks": action_masks}
    actions, state = model.predict(
        observations, state=state, episode_start=episode_start, deterministic=deterministic, **masks
    )
    # A single discrete action is a 0-d array, which envs do not accept as a number.
    return actions[()], state


def require_served(model: BaseAlgorithm, envs: Envs) -> None:
    """Check that an algorithm gets all inputs that it needs to choose actions.

    Args:
        model: The algorithm.
        envs: The env or vector env to act in.

    Raises:
        ValueError: If it needs action masks and the envs have none, or its `predict` has unknown arguments.
    """
    name = type(model).__name__
    if takes_action_masks(model) and not _have_action_masks(envs):
        raise ValueError(
            f"{name} needs an env with a method action_masks(), which returns True for each action that is "
            "allowed now (sb3_contrib.common.wrappers.ActionMasker adds one)"
        )
    for parameter in inspect.signature(model.predict).parameters.values():
        is_needed = parameter.default is parameter.empty and "VAR" not in parameter.kind.name
        if is_needed and parameter.name not in _UNDERSTOOD:
            raise ValueError(
                f"{name}.predict needs {parameter.name}, which is none of {', '.join(sorted(_UNDERSTOOD))}"
            )


def takes_action_masks(model: BaseAlgorithm) -> bool:
    """Whether an algorithm uses action masks, like MaskablePPO."""
    return "action_masks" in inspect.signature(model.predict).parameters


def _have_action_masks(envs: Envs) -> bool:
    if isinstance(envs, VectorEnv):
        # Gymnasium's vector envs of single envs have `call`; the compiled engine has no single envs.
        return hasattr(envs, "call") and all(envs.call("has_wrapper_attr", "action_masks"))
    return envs.has_wrapper_attr("action_masks")

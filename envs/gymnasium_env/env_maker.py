"""Makes Gymnasium envs from a registered id, a spec, or any class or function."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from ..importing import import_module, import_named, require_trusted

EnvMaker = Callable[..., gym.Env[Any, Any]]
_SENTENCES = (AssertionError, AttributeError, ImportError, TimeoutError, TypeError, ValueError)
EnvWrapper = Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]]


def find_maker(
    env_id: str | EnvSpec | EnvMaker, max_episode_steps: int | None, wrappers: Sequence[str | EnvWrapper]
) -> tuple[EnvMaker, dict[str, Any]]:
    """A function that makes an env, and the default values of its arguments.

    Args:
        env_id: An id, a spec, an import path, or the class or function itself; see `GymnasiumEnv`.
        max_episode_steps: Number of steps after which an episode is truncated; None leaves it to the env.
        wrappers: Wrappers of the env, innermost first: functions of an env, or their import paths.

    Raises:
        ValueError: If something cannot be imported, or is not an env.
        gymnasium.error.Error: If no env of this id is registered.
    """
    if max_episode_steps is not None and (not isinstance(max_episode_steps, int) or max_episode_steps < 1):
        raise ValueError(f"max_episode_steps={max_episode_steps!r} must be a whole number of at least 1")
    around = [import_named(wrapper) if isinstance(wrapper, str) else wrapper for wrapper in wrappers]
    for wrapper in around:
        if not callable(wrapper):
            raise ValueError(
                f"wrappers: {wrapper!r} must be an import path, or _target_, arguments and _partial_: true"
            )
    limit: dict[str, Any] = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    registered = _find_registered(env_id)
    if registered is None:
        maker: EnvMaker = import_named(env_id) if isinstance(env_id, str) else cast(EnvMaker, env_id)
        around = ([partial(TimeLimit, **limit)] if limit else []) + around
        return partial(_make_wrapped, maker, around), _own_arguments(maker)
    spec = registered if isinstance(registered, EnvSpec) else gym.spec(registered)
    if spec.entry_point is None:
        raise ValueError("is registered as a vector env only, but tasks need single envs")
    creator = import_named(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    require_trusted(creator)
    maker = partial(gym.make, registered, disable_env_checker=True, **limit)
    if "mujoco" in str(spec.entry_point):
        maker = partial(_make_with_mujoco, maker)
    return partial(_make_wrapped, maker, around), _own_arguments(creator) | spec.kwargs


def _find_registered(env_id: Any) -> str | EnvSpec | None:
    """The id or spec that Gymnasium makes an env from; None if the env is made without Gymnasium."""
    if not isinstance(env_id, str):
        return env_id if isinstance(env_id, EnvSpec) else None
    module, _, registered_id = env_id.rpartition(":")
    if module:
        import_module(module)
    elif "." in env_id and env_id not in gym.registry:
        return None
    return registered_id


def _make_with_mujoco(maker: EnvMaker, **arguments: Any) -> gym.Env[Any, Any]:
    import mujoco  # an extra

    # By default, MuJoCo writes warnings to a file in the working folder.
    mujoco.set_mju_user_warning(_log_warning)
    return maker(**arguments)


def _log_warning(text: str) -> None:
    # Users cannot change what is deprecated in Gymnasium's models.
    if "deprecated" not in text:
        logging.getLogger("mujoco").warning(text)


def _make_wrapped(maker: EnvMaker, wrappers: Sequence[EnvWrapper], **arguments: Any) -> gym.Env[Any, Any]:
    env = maker(**arguments)
    for wrapper in wrappers:
        env = wrapper(env)
    return env


def _own_arguments(creator: Any) -> dict[str, Any]:
    """The default values of the arguments of a function or class."""
    return {name: p.default for name, p in inspect.signature(creator).parameters.items()}


def one_line(error: BaseException) -> str:
    """The message of an exception in one line, preceded by its class where the message needs it."""
    text = " ".join(str(error).split())
    is_sentence = isinstance(error, (*_SENTENCES, gym.error.Error)) and bool(text)
    return text if is_sentence else f"{type(error).__name__}: {text}".rstrip(": ")

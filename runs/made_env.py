"""Makes an env from a component in a configuration or a script."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from .blaming import blaming, make_blaming


def made_env(key: str, component: Any, **arguments: Any) -> gym.Env[Any, Any]:
    """Make an env.

    Args:
        key: Name of the env on the command line, for messages.
        component: An env class, a function that makes one, or a partial of these.
        arguments: Additional arguments.

    Raises:
        ValueError: If it cannot be made or is no env; names the argument to blame.
    """
    kind = getattr(component, "func", component)
    with blaming(key):
        if isinstance(kind, type) and not issubclass(kind, gym.Env):
            raise ValueError(f"_target_={kind.__module__}.{kind.__qualname__} is not a gymnasium.Env")
    env = make_blaming(key, component, lambda make: make(**arguments))
    with blaming(key):
        if not isinstance(env, gym.Env):
            raise ValueError(f"_target_ makes a {type(env).__name__}, which is not a gymnasium.Env")
    return env

"""Makes the envs of the configuration, for scripts and notebooks."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import yaml

from .build import build

_ENVS = Path(__file__).parent / "env"


def make_env(name: str, **arguments: Any) -> gym.Env[Any, Any]:
    """Make one of the envs of `chiron-train env=…`.

    Args:
        name: Name on the command line: `hopper`, `stump_tracks`, ….
        arguments: Keys of its YAML file to override, such as `render_mode="human"`.

    Raises:
        ValueError: If there is no such env, it takes no such key, or a library that it needs is missing.
    """
    node = _nodes().get(name)
    if node is None:
        raise ValueError(f"{name!r} must be one of the envs {', '.join(sorted(_nodes()))}")
    maker: partial[gym.Env[Any, Any]] = build({**node, **arguments})
    return maker()


@cache
def _nodes() -> dict[str, dict[str, Any]]:
    nodes = {path.stem: yaml.safe_load(path.read_text()) for path in _ENVS.glob("*.yaml")}
    return {name: node for name, node in nodes.items() if node and "_target_" in node}

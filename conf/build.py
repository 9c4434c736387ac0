"""From a configuration node to an object: the one place that instantiates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hydra.utils import instantiate


def build(node: Mapping[str, Any]) -> Callable[..., Any]:
    """Turn a node with a `_target_` into a function that takes what only exists at run time.

    Lists and dicts reach the target as plain Python, and the arguments given later are passed as they
    are.

    Args:
        node: `_target_` and its keyword arguments.

    Raises:
        hydra.errors.InstantiationException: If the target cannot be imported.
    """
    made: Callable[..., Any] = instantiate(dict(node), _convert_="all", _partial_=True)
    return made

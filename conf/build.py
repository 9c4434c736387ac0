"""From a configuration node to an object: the one place that instantiates."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate


def target_of(node: Mapping[str, Any]) -> Callable[..., Any]:
    """The class or function that a node names.

    Args:
        node: `_target_` and whatever else.

    Raises:
        ValueError: If the target cannot be imported.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise ValueError(f"{node!r} must name a class as _target_")
    try:
        target: Callable[..., Any] = pkgutil.resolve_name(node["_target_"])
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"_target_={node['_target_']} cannot be imported: {error}") from error
    return target


def build(node: Mapping[str, Any]) -> partial[Any]:
    """Turn a node with a `_target_` into a function that takes what only exists at run time.

    Lists and dicts reach the target as plain Python, and the arguments given later are passed as they
    are.

    Args:
        node: `_target_` and its keyword arguments.

    Raises:
        ValueError: If a target cannot be imported, what is nested in the node cannot be built, or the target
            does not take one of the arguments.
    """
    target = target_of(node)
    known = inspect.signature(target).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    unknown = [] if takes_any else [key for key in node if key not in known and key != "_target_"]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}: {node['_target_']} takes {', '.join(known)}")
    try:
        made: partial[Any] = instantiate(dict(node), _convert_="all", _partial_=True)
    except InstantiationException as error:
        raise ValueError(str(error.__cause__ or error).splitlines()[-1]) from error
    return made

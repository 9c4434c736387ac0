"""From a configuration node to an object: the one place that instantiates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate


def build(node: Mapping[str, Any]) -> partial[Any]:
    """Turn a node with a `_target_` into a function that takes what only exists at run time.

    Lists and dicts reach the target as plain Python, and the arguments given later are passed as they
    are.

    Args:
        node: `_target_` and its keyword arguments.

    Raises:
        ValueError: If the target cannot be imported.
    """
    try:
        made: partial[Any] = instantiate(dict(node), _convert_="all", _partial_=True)
    except InstantiationException as error:
        reason = str(error.__cause__ or error).splitlines()[-1]
        raise ValueError(f"_target_={node['_target_']} cannot be imported: {reason}") from error
    return made

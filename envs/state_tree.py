"""States of envs, teachers, students and runs: nested dicts and lists of JSON values and arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any


def map_leaves(tree: Any, change: Callable[[Any, str], Any], where: str = "state") -> Any:
    """Copy a state with every leaf replaced.

    Args:
        tree: Nested dicts with string keys, lists, tuples and deques; the last three become lists.
        change: Returns the new leaf, given the old one and its path, such as `state.noise.scale[2]`.
        where: Path of the tree itself.

    Raises:
        TypeError: If a key is not a string.
    """
    if isinstance(tree, Mapping):
        for key in tree:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}, which must be a string")
        return {key: map_leaves(item, change, f"{where}.{key}") for key, item in tree.items()}
    if isinstance(tree, (list, tuple, deque)):
        return [map_leaves(item, change, f"{where}[{i}]") for i, item in enumerate(tree)]
    return change(tree, where)

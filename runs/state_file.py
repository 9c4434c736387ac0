"""Saves states (nested dicts and lists of JSON values and arrays) in one file that holds no code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.state_tree import map_leaves
from .checked_files import DamagedFileError
from .whole_files import open_regular, replacing

_JSON = "json"
"""The archive member that holds everything except the arrays, as UTF-8 bytes."""

_ARRAY = "array of this file"
"""The key of a dict that is a placeholder for an array in the JSON."""


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a state to an .npz file atomically: readers find either the old file or the new one.

    Args:
        path: The file; no suffix is added to its name.
        state: Nested dicts with string keys, lists, numbers, strings, booleans, None and numpy arrays.

    Raises:
        TypeError: If the state holds anything else.
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(map_leaves(state, partial(_to_json, arrays=arrays)))
    arrays[_JSON] = np.frombuffer(text.encode(), dtype=np.uint8)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_state(
    path: str | Path, replace: Callable[[dict[str, Any]], Any] = lambda node: node
) -> dict[str, Any]:
    """Read a state written by `save_state`; tuples become lists, and numpy scalars plain numbers.

    Args:
        path: The file.
        replace: Called with every dict, innermost first; its return value replaces the dict.

    Raises:
        DamagedFileError: If there is no such file, it cannot be read, or is not a state.
    """
    path = Path(path)
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as members:
            # Reading an array stops at the array's declared size, but checksums cover all bytes.
            if members.zip.testzip() is not None:
                raise ValueError("checksum")

            def node(plain: dict[str, Any]) -> Any:
                return members[plain[_ARRAY]] if _ARRAY in plain else replace(plain)

            state = json.loads(members[_JSON].tobytes(), object_hook=node)
    except DamagedFileError:
        raise
    # Readers may raise anything on damaged bytes.
    except Exception as error:
        raise DamagedFileError(f"{path} must be a state file; it is damaged or something else") from error
    if not isinstance(state, dict):
        raise DamagedFileError(f"{path} must be a state file; it holds {type(state).__name__}")
    return state


def _to_json(value: Any, where: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The JSON representation of a leaf; an array is added to `arrays`."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}; a state may hold JSON values and arrays only")

"""States on disk: nested dicts and lists of JSON values and arrays, in one file that holds no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .whole_files import replacing

_JSON = "json"
"""The member that holds everything but the arrays, as UTF-8 bytes."""

_ARRAY = "array of this file"
"""The key of a dict that stands for an array in the JSON."""


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a state as an .npz file, in one step: whoever reads finds the old file or the new one, whole.

    Args:
        path: The file, under exactly this name.
        state: Nested dicts with string keys, lists, numbers, strings, booleans, None and numpy arrays.

    Raises:
        TypeError: If the state holds anything else.
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_without_arrays(state, "state", arrays))
    arrays[_JSON] = np.frombuffer(text.encode(), dtype=np.uint8)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_state(path: str | Path) -> dict[str, Any]:
    """Read what `save_state` wrote; tuples have become lists, and numpy scalars plain numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or is no state.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as members:
            state = _with_arrays(json.loads(members[_JSON].tobytes()), members)
    except (BadZipFile, EOFError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a state file; it is damaged or something else") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} must be a state file; it holds {type(state).__name__}")
    return state


def _without_arrays(value: Any, where: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The same value with every array replaced by its name in `arrays`, which it is added to."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _ARRAY:
                raise TypeError(f"{where} has the key {key!r}, which must be a string other than {_ARRAY!r}")
        return {key: _without_arrays(item, f"{where}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(item, f"{where}[{i}]", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return _without_arrays(value.item(), where, arrays)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}; a state may hold JSON values and arrays only")


def _with_arrays(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return arrays[value[_ARRAY]]
    return {key: _with_arrays(item, arrays) for key, item in value.items()}

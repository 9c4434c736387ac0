"""Equality of values, including objects whose classes do not define it."""

from __future__ import annotations

from typing import Any

import numpy as np


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are equal part by part.

    Objects whose class does not define equality are equal if pickle would store the same for both. Functions
    are equal only to themselves.
    """
    try:
        return _same(one, other)
    except (RecursionError, TypeError, ValueError):
        # Recursive, not picklable, or compared element by element: equality cannot be decided.
        return False


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    equality: Any = type(one).__eq__
    if equality is not object.__eq__:
        return bool(one == other)
    return _same(one.__reduce_ex__(4), other.__reduce_ex__(4))

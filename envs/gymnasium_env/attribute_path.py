"""Paths to numbers in an object: attributes, indices and keys."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

_STEP = re.compile(r"\.?(?P<name>[A-Za-z_]\w*)|\[(?:(?P<index>-?\d+)|(?P<key>[^\[\]]+))\]")


class _Step(NamedTuple):
    """One step of a path: to the attribute with a name, or to the item with an index or key."""

    where: str | int
    is_item: bool


class AttributePath:
    """A path such as `unwrapped.gravity`, `unwrapped.world.gravity[1]` or `unwrapped.config[lanes]`.

    Args:
        text: Names separated by dots; indices of lists and arrays or keys of dicts (unquoted) in brackets.

    Raises:
        ValueError: If it has any other form.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        found = list(_STEP.finditer(text))
        if not found or text.startswith((".", "[")) or "".join(match[0] for match in found) != text:
            raise ValueError(
                f"{text!r} must be attributes, and indices or keys in brackets, such as unwrapped.gravity[1]"
            )
        self._steps = [_step(match) for match in found]
        if any((match["name"] or "").startswith("__") for match in found):
            # They lead from an env to its class, its module and everything that is imported there.
            raise ValueError(f"{text!r} must not name attributes that begin with two underscores")

    def read(self, owner: Any) -> Any:
        """Read the value at this path in an object.

        Raises:
            ValueError: If the path does not exist, with the most similar names.
        """
        for step in self._steps:
            try:
                owner = _get(owner, step)
            except (AttributeError, LookupError, TypeError) as error:
                raise ValueError(f"{self.text} does not exist: {_reason(owner, step)}") from error
        return owner

    def write(self, owner: Any, value: Any) -> None:
        """Set the value at this path in an object.

        An index or key changes a copy, which replaces the original: arrays, lists and dicts may be shared
        with a class, and Box2D's vectors are copies anyway.
        """
        _put(owner, self._steps, value)

    def overlaps(self, other: AttributePath) -> bool:
        """Whether writing to one of the two changes what the other reads."""
        return all(mine == theirs for mine, theirs in zip(self._steps, other._steps, strict=False))


def _step(match: re.Match[str]) -> _Step:
    if match["name"]:
        return _Step(match["name"], is_item=False)
    return _Step(int(match["index"]) if match["index"] else match["key"], is_item=True)


def _get(owner: Any, step: _Step) -> Any:
    return owner[step.where] if step.is_item else getattr(owner, str(step.where))


def _put(owner: Any, steps: list[_Step], value: Any) -> None:
    step, rest = steps[0], steps[1:]
    if rest:
        inner = _get(owner, step)
        if not rest[0].is_item:
            _put(inner, rest, value)
            return
        inner = copy.copy(inner)
        _put(inner, rest, value)
        value = inner
    if step.is_item:
        owner[step.where] = value
    else:
        setattr(owner, str(step.where), value)


def _reason(owner: Any, step: _Step) -> str:
    kind = type(owner).__name__
    if not step.is_item:
        return f"{kind} has no {step.where!r}{_similar(str(step.where), dir(owner))}"
    if isinstance(owner, Mapping):
        return f"{kind} has no key {step.where!r}{_similar(str(step.where), map(str, owner))}"
    size = f" of size {len(owner)}" if hasattr(owner, "__len__") else ""
    return f"{kind}{size} has no index {step.where}"


def _similar(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f", but {', '.join(close)}" if close else ""


def is_number(value: Any) -> bool:
    """Whether a value is a single number, of Python or NumPy, and not a bool."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)

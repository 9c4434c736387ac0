"""Where in an object a number stands: attribute by attribute, index by index."""

from __future__ import annotations

import copy
import difflib
import re
from typing import Any

import numpy as np

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d+)\]")


class AttributePath:
    """A path such as `unwrapped.gravity`, `unwrapped.world.gravity[1]` or `unwrapped.model.body_mass`.

    Args:
        text: Names after dots and whole numbers in brackets.

    Raises:
        ValueError: If it is anything else.

    Attributes:
        steps: A str for each attribute, an int for each index.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        found = list(_STEP.finditer(text))
        if not found or text.startswith((".", "[")) or "".join(match[0] for match in found) != text:
            raise ValueError(f"{text!r} must be attributes and indices, such as unwrapped.gravity[1]")
        self.steps: list[str | int] = [match[1] or int(match[2]) for match in found]

    def read(self, owner: Any) -> Any:
        """What stands there in an object.

        Raises:
            ValueError: If there is no such place, naming what comes closest.
        """
        for step in self.steps:
            try:
                owner = _get(owner, step)
            except (AttributeError, IndexError, TypeError) as error:
                raise ValueError(f"{self.text} does not exist: {_reason(owner, step)}") from error
        return owner

    def write(self, owner: Any, value: Any) -> None:
        """Put something there.

        What an index changes is a copy, which takes the place of the original: arrays and lists may be
        shared with a class, and Box2D's vectors are copies anyway.
        """
        _put(owner, self.steps, value)

    def overlaps(self, other: AttributePath) -> bool:
        """Whether writing to one of the two changes what the other reads."""
        return all(mine == theirs for mine, theirs in zip(self.steps, other.steps, strict=False))


def _get(owner: Any, step: str | int) -> Any:
    return getattr(owner, step) if isinstance(step, str) else owner[step]


def _put(owner: Any, steps: list[str | int], value: Any) -> None:
    step, rest = steps[0], steps[1:]
    if rest:
        inner = _get(owner, step)
        if isinstance(rest[0], str):
            _put(inner, rest, value)
            return
        inner = copy.copy(inner)
        _put(inner, rest, value)
        value = inner
    if isinstance(step, str):
        setattr(owner, step, value)
    else:
        owner[step] = value


def _reason(owner: Any, step: str | int) -> str:
    kind = type(owner).__name__
    if isinstance(step, int):
        size = f" of size {len(owner)}" if hasattr(owner, "__len__") else ""
        return f"{kind}{size} has no index {step}"
    close = difflib.get_close_matches(step, dir(owner), n=3)
    return f"{kind} has no {step!r}" + (f", but {', '.join(close)}" if close else "")


def is_number(value: Any) -> bool:
    """Whether something is one number, of Python or NumPy, and not a truth value."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)

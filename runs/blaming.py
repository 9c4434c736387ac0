"""Errors that name the part of the command line that caused them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

Made = TypeVar("Made")


@contextmanager
def blaming(key: str) -> Iterator[None]:
    """Turn exceptions of a component into a ValueError that names its part of the command line."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{key}: {_said(error)}") from error


def make_blaming(key: str, component: Any, make: Callable[[Any], Made]) -> Made:
    """Build something from a component; if that raises an error, name the argument to blame.

    Chiron's components say which argument they mean. Others may raise any exception for a bad value: the
    argument to blame is then the one without which the component can be built.

    Args:
        key: Name of the component on the command line.
        component: A class, or a partial of one.
        make: Builds something from it; called again without some of the arguments after an error.

    Raises:
        ValueError: If it cannot be built.
    """
    with blaming(key):
        try:
            return make(component)
        except Exception as error:
            if _took_too_long(error):
                raise  # Every further attempt would take too long as well.
            arguments = component.keywords if isinstance(component, partial) else {}
            for path in _paths(arguments):
                if _is_named(path[-1], error) and (len(path) == 1 or path[-2] in str(error)):
                    raise
            for path in _paths(arguments):
                makes_it = partial(component.func, *component.args, **_without(arguments, path))
                if _is_named(path[-1], error) or _can_be_made(make, makes_it):
                    raise ValueError(f"{'.'.join(path)}: {_said(error)}") from error
            # Nothing can be built without a required argument, but the error may show its value.
            for path, value in _leaves(arguments):
                if value == "" or (isinstance(value, str) and len(value) > 1 and value in str(error)):
                    raise ValueError(f"{'.'.join(path)}: {_said(error)}") from error
            raise


def _took_too_long(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, TimeoutError) or _took_too_long(error.__cause__))


def _is_named(argument: str, error: Exception) -> bool:
    """Whether an error names an argument, as in "size=3 must", "size: must" and "`size` must"."""
    name = re.escape(argument)
    return re.search(rf"\b{name}[=:'`]|['`]{name}\b", str(error)) is not None


def _can_be_made(make: Callable[[Any], Any], component: Any) -> bool:
    try:
        make(component)
    except Exception:  # any error: the removed argument was not the only problem
        return False
    return True


def _paths(arguments: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Paths of the arguments, nested ones before those that contain them."""
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            yield from ((name, *path) for path in _paths(value))
        yield (str(name),)


def _leaves(arguments: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in arguments.items():
        nested = _leaves(value) if isinstance(value, Mapping) else [((), value)]
        yield from (((name, *path), leaf) for path, leaf in nested)


def _without(arguments: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {name: value for name, value in arguments.items() if name != first}
    return {**arguments, first: _without(arguments[first], tuple(rest))}


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"does not fit into memory{text and f': {text}'}"
    # For other exceptions the class name is an essential part of the message.
    is_sentence = isinstance(error, (ValueError, TypeError, AssertionError)) and bool(text)
    return text if is_sentence else f"{type(error).__name__}: {text}".rstrip(": ")

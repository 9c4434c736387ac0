"""Converts YAML values to the types that the annotations of arguments ask for."""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Callable as AbstractCallable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

_LINEAR = re.compile(r"lin_(.+)")
"""rl-zoo's notation for a number that decreases linearly to zero over the budget."""
_SAID: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
    type: "the import path of a class",
    AbstractCallable: "the import path of a function",
    np.ndarray: "a list of numbers",
}
_LISTS, _DICTS = "a list", "a dict of keys and values"


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of the arguments of a class or function, without those that cannot be evaluated."""
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    hints: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        # Names imported only for type checkers are undefined.
        with contextlib.suppress(NameError, TypeError, AttributeError):
            hints |= get_type_hints(alone, getattr(function, "__globals__", {}))
    return hints


def not_imported(path: str) -> Any:
    """Default importer, which imports nothing."""
    raise ValueError(f"{path} is a text")


def fitted(key: str, value: Any, hint: Any, imported: Callable[[str], Any] = not_imported) -> Any:
    """Convert a value to the type that the annotation of its argument asks for.

    - An integer may be written `1e3`.
    - A list becomes a tuple or an array if the annotation asks for one, as in `train_freq=[1,episode]`.
    - A class or a function is given by its import path, as in `activation_fn=torch.nn.ReLU`.
    - If a schedule is allowed, `lin_3e-4` decreases from 0.0003 to 0 over the budget, as in rl-zoo.

    Args:
        key: Name of the argument.
        value: Value in the configuration.
        hint: The annotation; `Any` accepts every value.
        imported: Imports the object at an import path.

    Raises:
        ValueError: If the value does not fit the annotation; gives key, value and what is allowed.
    """
    kinds = {_kind(one): one for one in _alternatives(hint)}
    if Any in kinds or not kinds:
        return value
    if isinstance(value, str) and (str not in kinds or ("." in value and type in kinds)):
        return _named(key, value, kinds, imported)
    if isinstance(value, list) and not any(_is(value, kind) for kind in kinds):
        if tuple in kinds:
            return tuple(value)
        if np.ndarray in kinds:
            return np.array(value)
    if isinstance(value, float) and value.is_integer() and int in kinds and float not in kinds:
        return int(value)
    if not any(_is(value, kind) for kind in kinds) and value not in _literals(kinds):
        raise _refusal(key, value, kinds)
    return value


def _named(key: str, value: str, kinds: Mapping[Any, Any], imported: Callable[[str], Any]) -> Any:
    """The object that a string stands for if the annotation does not allow strings."""
    if value in _literals(kinds):
        return value
    linear = _LINEAR.fullmatch(value)
    if linear and float in kinds and AbstractCallable in kinds:
        # Imported here for start-up time: it imports torch.
        from stable_baselines3.common.utils import LinearSchedule

        try:
            return LinearSchedule(float(linear[1]), 0.0, 1.0)
        except ValueError:
            raise _refusal(key, value, kinds) from None
    if "." not in value or not {type, AbstractCallable} & set(kinds):
        raise _refusal(key, value, kinds)
    try:
        named = imported(value)
    except ValueError as error:
        raise ValueError(f"{key}={error}") from error
    fits_class = type in kinds and isinstance(named, type)
    if not fits_class and not (AbstractCallable in kinds and callable(named)):
        raise _refusal(key, value, kinds)
    return named


def _alternatives(hint: Any) -> Iterator[Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        for one in get_args(hint):
            yield from _alternatives(one)
    else:
        yield hint


def _kind(hint: Any) -> Any:
    """The class that an annotation asks for; `Any` if unknown."""
    origin = get_origin(hint)
    if origin is Literal:
        return hint
    kind = hint if origin is None else origin
    return Any if isinstance(kind, (str, TypeVar)) or not isinstance(kind, type) else kind


def _literals(kinds: Mapping[Any, Any]) -> list[Any]:
    return [one for kind in kinds if get_origin(kind) is Literal for one in get_args(kind)]


def _is(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return False
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind in (bool, object)
    if kind is float:
        return isinstance(value, (int, float))
    if isinstance(value, list) and not isinstance(value, str) and issubclass(list, kind):
        return True
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that does not support isinstance
        return True


def _refusal(key: str, value: Any, kinds: Mapping[Any, Any]) -> ValueError:
    said: list[str] = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            said += [str(one) for one in get_args(kind)]
        elif kind in _SAID:
            said.append(_SAID[kind])
        elif issubclass(kind, (tuple, list, Sequence)):
            said.append(_LISTS)
        else:
            said.append(_DICTS if issubclass(kind, Mapping) else f"a {kind.__name__}, by _target_")
    if float in kinds and AbstractCallable in kinds:
        said.append("lin_3e-4 for a linear schedule")
    return ValueError(f"{key}={_shown(value)} must be {' or '.join(dict.fromkeys(said))}")


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(_shown(item) for item in value)}]" if isinstance(value, list) else str(value)

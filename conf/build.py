"""Builds objects from configuration nodes: the only place that imports and instantiates components."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..envs.importing import import_named, require_defined
from ..runs.blaming import blaming
from ..runs.fitting import fitted, hints_of

_TARGET, _ARGS, _PARTIAL = "_target_", "_args_", "_partial_"


def target_of(node: Mapping[str, Any], where: str = "") -> Callable[..., Any]:
    """The class or function that a node names.

    Args:
        node: `_target_` and any other keys.
        where: Prefix of the node's keys in messages.

    Raises:
        ValueError: If the target cannot be imported.
    """
    target: Callable[..., Any] = _looked_up(node, where, import_named)
    if not callable(target):
        raise ValueError(f"{where}_target_={node[_TARGET]} must be the import path of a class or function")
    return target


def require_target(node: Mapping[str, Any]) -> None:
    """Reject a node whose target evidently cannot be imported, without importing it.

    Raises:
        ValueError: As raised by `target_of`.
    """
    _looked_up(node, "", require_defined)


def _looked_up(node: Mapping[str, Any], where: str, look_up: Callable[[str], Any]) -> Any:
    if not isinstance(node, Mapping) or not isinstance(node.get(_TARGET), str):
        raise ValueError(f"{node!r} must name a class as {where}_target_")
    try:
        return look_up(node[_TARGET])
    except ValueError as error:
        raise ValueError(f"{where}_target_={error}") from error


def build(node: Mapping[str, Any]) -> partial[Any]:
    """Turn a node with a `_target_` into a function of the arguments that only exist at run time.

    As in Hydra, a nested dict with a `_target_` is built and called; its `_args_` are positional arguments,
    and with `_partial_` it is built but not called. Values that YAML cannot express are converted as the
    annotations of the target ask for: see `chiron.runs.fitting.fitted`.

    Args:
        node: `_target_` and its keyword arguments.

    Raises:
        ValueError: If a target cannot be imported, a nested node cannot be built, or the target does not take
            one of the arguments.
    """
    return _built(node, "")


def _built(node: Mapping[str, Any], where: str) -> partial[Any]:
    """Like `build`; `where` is the prefix of the node's keys in messages."""
    target = target_of(node, where)
    given = {key: value for key, value in node.items() if key not in (_TARGET, _PARTIAL)}
    positional = [_made(value, f"{where}{_ARGS}") for value in given.pop(_ARGS, ())]
    return partial(
        target, *positional, **_arguments(target, f"{where}{_TARGET}={node[_TARGET]}", given, where)
    )


def _arguments(target: Callable[..., Any], name: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Keyword arguments of a target, from their values in a configuration."""
    parameters = _parameters_of(target)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [] if takes_any else [key for key in given if key not in parameters]
    if unknown:
        raise ValueError(f"unknown key {where + unknown[0]!r}: {name} takes {', '.join(parameters)}")
    hints, arguments = hints_of(target), dict[str, Any]()
    # The class that `x_kwargs` go to has to be known first.
    for key in sorted(given, key=lambda key: key.endswith("_kwargs")):
        value, taker = given[key], _taker(target, parameters, arguments, key)
        if isinstance(value, Mapping) and _TARGET not in value and taker is not None:
            arguments[key] = _arguments(taker, taker.__name__, value, f"{where}{key}.")
            continue
        made = _made(value, where + key)
        is_default = made is None and key in parameters and parameters[key].default is None
        arguments[key] = made if is_default else fitted(where + key, made, hints.get(key, Any), import_named)
    return {key: arguments[key] for key in given}


def _parameters_of(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except ValueError:  # some C functions have no signature
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def _taker(
    target: Callable[..., Any],
    parameters: Mapping[str, inspect.Parameter],
    arguments: Mapping[str, Any],
    key: str,
) -> type[Any] | None:
    """The class that takes the arguments in `x_kwargs`: the value or default of `x_class` or `x`."""
    stem = key.removesuffix("_kwargs")
    for name in (f"{stem}_class", stem) if stem != key else ():
        if name in parameters:
            taker = arguments.get(name, parameters[name].default)
            if isinstance(taker, str):
                # Policies of Stable-Baselines3 have short names.
                taker = getattr(target, "policy_aliases", {}).get(taker)
            return taker if isinstance(taker, type) and taker is not inspect.Parameter.empty else None
    return None


def _made(value: Any, where: str) -> Any:
    """A value of a configuration, with all nested nodes built."""
    if isinstance(value, Mapping) and _TARGET in value:
        built = _built(value, f"{where}.")
        with blaming(where):
            return built if value.get(_PARTIAL) else built()
    if isinstance(value, Mapping):
        return {key: _made(item, f"{where}.{key}") for key, item in value.items()}
    return [_made(item, where) for item in value] if isinstance(value, (list, tuple)) else value

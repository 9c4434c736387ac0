"""Importing by name: the only place where a name in a configuration becomes a class or a function.

The author of a configuration decides what is executed. For untrusted configurations, `trusting` restricts
what may be imported; `docs/trust.md` describes it for users.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_OF_SB3 = (
    *("a2c", "ddpg", "dqn", "her", "ppo", "sac", "td3"),
    *("common.buffers", "common.distributions", "common.noise", "common.policies", "common.sb2_compat"),
    *("common.torch_layers", "common.utils"),
)
_OF_CONTRIB = (
    *("ars", "crossq", "ppo_mask", "ppo_recurrent", "qrdqn", "tqc", "trpo"),
    *("common.maskable.buffers", "common.maskable.distributions", "common.maskable.policies"),
    *("common.recurrent", "common.torch_layers", "common.utils"),
)
TRUSTED_MODULES = (
    *("chiron.envs", "chiron.students", "gymnasium.envs", "gymnasium.wrappers", "torch.nn"),
    *(f"stable_baselines3.{name}" for name in _OF_SB3),
    *(f"sb3_contrib.{name}" for name in _OF_CONTRIB),
)
"""Modules whose classes an untrusted configuration may name: making one writes no file, starts no program."""
_EXCEPTIONS = ("gymnasium.envs.registration", "gymnasium.wrappers.rendering")
"""Exceptions: modules that import what their arguments name, or record to files that they name."""
_TRUSTED_FUNCTIONS = "chiron.envs.gymnasium_env.derived_attributes"
_LOOKED_INTO = (
    *("chiron.envs", "chiron.students", "gymnasium.envs", "gymnasium.wrappers", "torch.nn"),
    *("stable_baselines3", "sb3_contrib"),
)
"""Packages in which a trusted name may begin; importing their modules executes nothing else."""

_MAKES_NAMES = re.compile(
    r"import \*|__getattr__|__dict__|__path__|sys\.modules|\b(?:globals|vars|locals|setattr|exec|eval)\("
)
"""Code that may define names that are not in a module's text."""

_trusted: ContextVar[tuple[str, ...] | None] = ContextVar("trusted", default=None)


class UntrustedNameError(ValueError):
    """An untrusted configuration names something that would be executed."""


@contextmanager
def trusting(names: Sequence[str]) -> Iterator[None]:
    """Context in which only harmless names are imported: envs, students and networks of known libraries.

    Args:
        names: Further modules and packages that may be imported, with everything in them.
    """
    token = _trusted.set(tuple(names))
    try:
        yield
    finally:
        _trusted.reset(token)


def is_trusting_everything() -> bool:
    """Whether nothing restricts what may be imported."""
    return _trusted.get() is None


def import_named(path: str) -> Any:
    """Import the object that an import path names.

    Args:
        path: With dots, such as `torch.nn.ReLU`, or with a colon, as in entry points.

    Raises:
        UntrustedNameError: If it is not trusted; nothing has been imported then.
        ValueError: If it cannot be imported.
    """
    names = path.replace(":", ".").split(".")
    is_public = _is_below(path, _LOOKED_INTO) and not any(name.startswith("_") for name in names)
    if not (_is_trusted(path) or is_public):
        raise _refusal(path)
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} cannot be imported: {_one_line(error)}") from error
    require_trusted(found, path)
    return found


def require_defined(path: str) -> None:
    """Reject a name that its module evidently lacks, without importing the module, which may take seconds.

    Args:
        path: As in `import_named`, which raises the same error after importing the module.

    Raises:
        ValueError: If there is no such library, or if the module's text contains neither the name nor
            anything that could define names.
    """
    names = path.replace(":", ".").split(".")
    if names[0] and names[0] not in sys.modules and find_spec(names[0]) is None:
        raise ValueError(f"{path} cannot be imported: No module named {names[0]!r}")
    outer, places = None, None
    for depth, name in enumerate(names, 1):
        inner = ".".join(names[:depth])
        if inner in sys.modules:
            outer, places = None, getattr(sys.modules[inner], "__path__", ())
            continue
        spec = PathFinder.find_spec(inner, places)
        if spec is None:
            if outer is not None and _evidently_lacks(outer, name):
                raise ValueError(
                    f"{path} cannot be imported: module {outer.name!r} has no attribute {name!r}"
                )
            return
        outer, places = spec, spec.submodule_search_locations or ()


def _evidently_lacks(module: ModuleSpec, name: str) -> bool:
    if module.origin is None or not module.origin.endswith(".py"):
        return False
    text = Path(module.origin).read_text(errors="replace")
    return not re.search(rf"\b{re.escape(name)}\b", text) and not _MAKES_NAMES.search(text)


def import_module(name: str) -> None:
    """Import a module for its side effects, such as registering envs.

    Raises:
        UntrustedNameError: If it is not trusted; nothing has been imported then.
        ValueError: If it cannot be imported.
    """
    if not _is_trusted(name):
        raise _refusal(name)
    try:
        importlib.import_module(name)
    except (ImportError, ValueError) as error:
        raise ValueError(f"module {name} cannot be imported: {_one_line(error)}") from error


def require_trusted(found: Any, path: str | None = None) -> None:
    """Check that a class or function may be called.

    Args:
        found: The class or function.
        path: Its import path; by default, its own module and name.

    Raises:
        UntrustedNameError: If it may not.
    """
    home = str(getattr(found, "__module__", ""))
    path = path or f"{home}.{getattr(found, '__qualname__', found)}"
    is_known = _is_below(home, TRUSTED_MODULES) and not _is_below(home, _EXCEPTIONS)
    if _is_trusted(path) or (isinstance(found, type) and is_known):
        return
    is_function = isinstance(found, Callable) and not isinstance(found, type)  # type: ignore[arg-type]
    if not (is_function and home == _TRUSTED_FUNCTIONS):
        raise _refusal(path)


def require_no_paths(arguments: Any) -> None:
    """Check that no argument of an untrusted env names a file.

    Args:
        arguments: Arguments of an env's constructor, nested as in YAML.

    Raises:
        UntrustedNameError: If one looks like a path and not everything is trusted.
    """
    if is_trusting_everything():
        return
    left = [arguments]
    while left:
        value = left.pop()
        if isinstance(value, str) and ("/" in value or "\\" in value or value.startswith(("~", "."))):
            raise UntrustedNameError(
                f"arguments names the file {value!r}, which would be read: it is not trusted"
            )
        if isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, (list, tuple)):
            left += value


def _is_trusted(path: str) -> bool:
    """Whether the user allows it to be executed, whatever it is."""
    trusted = _trusted.get()
    return trusted is None or _is_below(path, trusted)


def _is_below(path: str, packages: Sequence[str]) -> bool:
    return any(path == package or path.startswith((f"{package}.", f"{package}:")) for package in packages)


def _refusal(path: str) -> UntrustedNameError:
    package = path.replace(":", ".").split(".")[0]
    return UntrustedNameError(
        f"{path!r} would be imported and called, and is not an env, student or network of Chiron, Gymnasium, "
        f"Stable-Baselines3, sb3-contrib or torch.nn: trust {package!r} if you know that code"
    )


def _one_line(error: BaseException) -> str:
    return " ".join((str(error).strip() or type(error).__name__).split())

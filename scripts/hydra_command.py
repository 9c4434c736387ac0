"""Shared code of the commands whose arguments are parsed by Hydra."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, ValueType
from omegaconf import DictConfig, OmegaConf

from ..conf.choices import choices_of
from .refusal import refuse

Result = TypeVar("Result")

_FULL_ERROR = "HYDRA_FULL_ERROR"
_WITHOUT_USE = ("hydra.run.dir", "hydra.output_subdir", "hydra.job.chdir")
"""Keys that would make Hydra write its own files before anything is checked."""

_kept: list[Exception] = []


def keeping_errors(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result | None]:
    """Hide a task's exceptions from Hydra, which would print its own message and stack frames.

    `hydra_errors_refused` raises them again.
    """

    @functools.wraps(task)
    def held(config: DictConfig) -> Result | None:
        try:
            return task(config)
        except Exception as error:
            _kept.append(error)
            return None

    return held


def overrides_of(hydra_config: Any) -> list[str]:
    """The overrides of a command line as they were typed, interpolations included.

    Args:
        hydra_config: The `hydra` node of a composed configuration.
    """
    overrides = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)
    assert isinstance(overrides, list)
    return [str(override) for override in overrides]


@contextmanager
def hydra_errors_refused(program: str, has_begun: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Exit with one sentence if Hydra rejects the command line; re-raise exceptions of the task.

    Args:
        program: Name of the command.
        has_begun: Whether the command line has been parsed, so that it did not cause the error.
    """
    before = os.environ.get(_FULL_ERROR)
    # Without this, Hydra prints exceptions in its own format and exits with 1.
    os.environ[_FULL_ERROR] = "1"
    _kept.clear()
    try:
        _require_usable(sys.argv[1:])
        yield
    except Exception as error:
        if has_begun():
            raise
        refuse(error, program)
    finally:
        if before is None:
            del os.environ[_FULL_ERROR]
        else:
            os.environ[_FULL_ERROR] = before
    if _kept:
        raise _kept.pop()


def _require_usable(arguments: Sequence[str]) -> None:
    """Reject arguments that Hydra would misinterpret, or would not name in its error."""
    given = get_args_parser().parse_args(list(arguments)).overrides
    for override in OverridesParser.create().parse_overrides(given):
        if override.key_or_group in _WITHOUT_USE:
            raise ValueError(
                f"{override.key_or_group} cannot be set: results= and study= say where files are written"
            )
        names = choices_of(override.key_or_group)
        if names and not override.is_delete():
            for choice in _values_of(override):
                is_name = isinstance(choice, (str, QuotedString, dict)) or _is_list_of_names(choice)
                if not is_name or "${" in str(choice):
                    shown = "null" if choice is None else choice
                    raise ValueError(f"{override.key_or_group}={shown} must be one of {', '.join(names)}")


def _values_of(override: Override) -> list[Any]:
    """The value of an override, or all values that a sweep lists."""
    if not override.is_sweep_override():
        return [override.value()]
    is_listed = override.is_discrete_sweep() and override.value_type is not ValueType.GLOB_CHOICE_SWEEP
    return list(override.sweep_iterator()) if is_listed else []


def _is_list_of_names(choice: Any) -> bool:
    return isinstance(choice, list) and all(isinstance(name, (str, QuotedString)) for name in choice)

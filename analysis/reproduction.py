"""From the configuration that a run has kept back to the command that makes it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ..conf.compose import composed
from ..runs.printable import printable
from ..runs.settings import is_how
from .study import COMPONENTS, StudyRun

_CHOICE = re.compile(r"\w[\w-]*(/\w[\w-]*)*")
"""What a choice of a config group looks like. Anything else would be grammar, or a path to another folder."""
_NOT_SAID = ("seed", "results", "videos")
"""The seed is said for all runs at once; where results lie, and videos, do not change a run."""


def command_of(runs: Sequence[StudyRun]) -> str:
    """The command line that trains some runs that differ in nothing but their seeds.

    Args:
        runs: At least one.

    Returns:
        `chiron-train …`, a sweep if there are several. Choices that this installation does not know are left
        to the reader's `--config-dir`.
    """
    first = runs[0]
    if not all(_CHOICE.fullmatch(first.names[group]) for group in COMPONENTS):
        return "(its summary.json names an env, teacher or student that no command line can choose)"
    choices = [f"{group}={first.names[group]}" for group in COMPONENTS]
    seeds = ",".join(str(run.seed) for run in runs)
    wanted = first.directory.read_config() or {}
    overrides, start = _overrides(wanted, tuple(choices)), list[str]()
    if overrides is None:
        overrides = [f"{key}={_written(wanted[key])}" for key in ("total_steps", "study") if key in wanted]
        start = ["--config-dir", "…"]
    words = [
        "chiron-train",
        *start,
        *(["-m"] if len(runs) > 1 else []),
        *choices,
        f"seed={seeds}",
        *overrides,
    ]
    return printable(" ".join(word if word == "…" else shlex.quote(word) for word in words))


def _overrides(wanted: Mapping[str, Any], choices: tuple[str, ...]) -> list[str] | None:
    """What has to be said beside the choices to arrive at a configuration; None if nothing leads there."""
    chosen = _composed(choices)
    if chosen is None:
        return None
    # Settings of components may follow from run-level keys, so those come first.
    general = _difference(_without(wanted, COMPONENTS), _without(chosen, COMPONENTS))
    base = _composed((*choices, *general))
    if base is None:
        return None
    return general + [
        override for group in COMPONENTS for override in _difference(wanted[group], base[group], f"{group}.")
    ]


def _without(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in (*keys, *_NOT_SAID)}


def _difference(wanted: Mapping[str, Any], base: Mapping[str, Any], prefix: str = "") -> list[str]:
    overrides = []
    for key, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            overrides += _difference(value, base[key], f"{prefix}{key}.")
        elif key not in base or base[key] != value:
            overrides.append(f"{'' if key in base else '+'}{prefix}{key}={_written(value)}")
    # Keys that have been added since say nothing of the run if they are null, or say how it is done.
    gone = [key for key in base if key not in wanted and base[key] is not None and not is_how(prefix + key)]
    return overrides + [f"~{prefix}{key}" for key in gone]


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any] | None:
    """The resolved configuration of a command line, or None if there is none for it."""
    try:
        return composed(*overrides)
    except (HydraException, OmegaConfBaseException):
        return None


def _written(value: Any) -> str:
    """A value in the grammar of Hydra's command line."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return repr(value)
    if re.fullmatch(r"[\w./+-]+", value) and isinstance(yaml.safe_load(value), str):
        return value
    # What a configuration has kept is resolved: braces that are left in it are text.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"

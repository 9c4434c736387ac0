"""Reconstructs the command of a run from its saved configuration."""

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
"""Pattern of a choice of a config group. Anything else could be Hydra grammar, or a path elsewhere."""
_NOT_SAID = ("seed", "results", "videos")
"""The seed is given for all runs at once; the results folder and videos do not affect a run."""


def command_of(runs: Sequence[StudyRun]) -> str:
    """The command line that executes runs that differ only in their seeds.

    Args:
        runs: At least one run.

    Returns:
        `chiron-train …`, a sweep if there are several. Choices that this installation does not have must come
        from the reader's `--config-dir`.
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
    """Overrides needed in addition to the choices to get a configuration; None if there are none that do."""
    chosen = _composed(choices)
    if chosen is None:
        return None
    # Run-level keys come first, because settings of components may be derived from them.
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
    # Keys added in later versions are irrelevant if they are null, or set only how a run is executed.
    gone = [key for key in base if key not in wanted and base[key] is not None and not is_how(prefix + key)]
    return overrides + [f"~{prefix}{key}" for key in gone]


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any] | None:
    """The resolved configuration of a command line, or None if it is invalid."""
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
    # Saved configurations are resolved, so remaining braces are text.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"

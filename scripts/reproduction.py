"""From the configuration that a run has kept back to the command that makes it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import conf.schema  # noqa: F401 (the schema and its resolvers)
from evaluation.run_directory import RunDirectory
from evaluation.study import COMPONENTS, StudyRun

_PLACE = "results"
"""Where results lie is no part of what ran."""


def command_of(runs: Sequence[StudyRun]) -> str:
    """The command line that trains some runs that differ in nothing but their seeds.

    Args:
        runs: At least one.

    Returns:
        `chiron-train …`, a sweep if there are several. Choices that this installation does not know are left
        to the reader's `--config-dir`.
    """
    first = runs[0]
    choices = [f"{group}={first.names[group]}" for group in COMPONENTS]
    seeds = ",".join(str(run.seed) for run in runs)
    wanted = _flat(RunDirectory.read_config(first.directory) or {})
    try:
        overrides = _overrides(wanted, tuple(choices))
        start = []
    except (HydraException, OmegaConfBaseException):
        overrides = [_override(key, wanted[key]) for key in ("total_steps", "study") if key in wanted]
        start = ["--config-dir", "…"]
    words = [
        "chiron-train",
        *start,
        *(["-m"] if len(runs) > 1 else []),
        *choices,
        f"seed={seeds}",
        *overrides,
    ]
    return " ".join(word if word == "…" else shlex.quote(word) for word in words)


def _overrides(wanted: Mapping[str, Any], choices: tuple[str, ...]) -> list[str]:
    """What has to be said beside the choices to arrive at a configuration."""
    # Settings of components may follow from run-level keys, so those come first.
    general = _difference(
        {key: value for key, value in wanted.items() if not _is_component(key)},
        {key: value for key, value in _composed(choices).items() if not _is_component(key)},
    )
    base = _composed((*choices, *general))
    return general + _difference(
        {key: value for key, value in wanted.items() if _is_component(key)},
        {key: value for key, value in base.items() if _is_component(key)},
    )


def _difference(wanted: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    changed = [
        ("" if key in base else "+") + _override(key, value)
        for key, value in wanted.items()
        if key not in ("seed", _PLACE) and (key not in base or base[key] != value)
    ]
    return changed + [f"~{key}" for key in base if key not in wanted and key != _PLACE]


def _is_component(key: str) -> bool:
    return key.partition(".")[0] in COMPONENTS


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    with initialize_config_module("conf", version_base="1.3"):
        config = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return _flat({str(key): value for key, value in config.items()})


def _flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            leaves |= _flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def _override(key: str, value: Any) -> str:
    return f"{key}={_written(value)}"


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
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

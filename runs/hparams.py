"""The hyperparameters of a run for TensorBoard's table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from .settings import is_how, leaves
from .tensorboard_log import HParam

_NAMES = ("env", "seed", "student", "teacher")


def hparams_of(
    config: Mapping[str, Any], names: Mapping[str, str], said: Sequence[str] = ()
) -> dict[str, HParam]:
    """Env, teacher, student and seed of a run, its teacher's settings, and the settings its user has set.

    The seed is a string, because TensorBoard would show a number as `0.0000`.

    Args:
        config: Its resolved configuration.
        names: Names of its env, teacher and student in the configuration.
        said: Dotted keys of the settings that its user has set.
    """
    hparams: dict[str, HParam] = {**names, "seed": str(config["seed"])}
    for name, value in leaves(config):
        is_wanted = name.startswith("teacher.") or _is_set(name, said)
        if is_wanted and value is not None and not name.endswith("_target_"):
            hparams[name] = value if isinstance(value, str | int | float) else _shown(value)
    return hparams


def differing(hparams: Mapping[str, HParam], said: Sequence[str]) -> set[str]:
    """The hyperparameters in which runs of a study differ: components, seed, and settings set by the user.

    Args:
        hparams: Hyperparameters of a run.
        said: As in `hparams_of`.
    """
    return {*_NAMES} | {name for name in hparams if _is_set(name, said)}


def hparam_names() -> set[str]:
    """All hyperparameters that runs can have, except those of third-party teachers."""
    folder = files("chiron").joinpath("conf", "teacher")
    choices = (yaml.safe_load(path.read_text()) for path in folder.iterdir() if path.name.endswith(".yaml"))
    settings = {f"teacher.{name}" for content in choices for name, _ in leaves(content)}
    return {*_NAMES} | {s for s in settings if not s.endswith((".defaults", "_target_"))}


def run_name(config: Mapping[str, Any], names: Mapping[str, str], path: Path) -> str:
    """A run's name in TensorBoard's table: the teacher, then the rest of its path in the study."""
    study = Path(config.get("results", ""), config.get("study", ""))
    if not path.is_relative_to(study):
        return str(path)
    parts = list(path.relative_to(study).parts)
    if names["teacher"] in parts:
        parts.remove(names["teacher"])
        parts.insert(0, names["teacher"])
    return "/".join(parts)


def _is_set(name: str, said: Sequence[str]) -> bool:
    """Whether a setting is one of these keys or nested in one; values that come with a group do not count."""
    if name in _NAMES or is_how(name):
        return False
    return any(name == key or (key not in _NAMES and name.startswith(f"{key}.")) for key in said)


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)

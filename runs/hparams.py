"""What sets a run apart from others, for TensorBoard's table of hyperparameters."""

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
    """Env, teacher, student and seed of a run, the settings of its teacher, and what its user has set.

    The seed is a text, which TensorBoard writes as `0`, and not as `0.0000`.

    Args:
        config: Its resolved configuration.
        names: What the configuration calls its env, teacher and student.
        said: Dotted keys of the settings that its user has set.
    """
    hparams: dict[str, HParam] = {**names, "seed": str(config["seed"])}
    for name, value in leaves(config):
        is_wanted = name.startswith("teacher.") or _is_set(name, said)
        if is_wanted and value is not None and not name.endswith("_target_"):
            hparams[name] = value if isinstance(value, str | int | float) else _shown(value)
    return hparams


def differing(hparams: Mapping[str, HParam], said: Sequence[str]) -> set[str]:
    """The hyperparameters in which runs of a study differ: what was run, and what their user has set.

    Args:
        hparams: Of a run.
        said: As `hparams_of` takes it.
    """
    return {*_NAMES} | {name for name in hparams if _is_set(name, said)}


def hparam_names() -> set[str]:
    """The hyperparameters that runs can have; those of teachers from elsewhere are not known."""
    folder = files("chiron").joinpath("conf", "teacher")
    choices = (yaml.safe_load(path.read_text()) for path in folder.iterdir() if path.name.endswith(".yaml"))
    settings = {f"teacher.{name}" for content in choices for name, _ in leaves(content)}
    return {*_NAMES} | {s for s in settings if not s.endswith((".defaults", "_target_"))}


def run_name(config: Mapping[str, Any], names: Mapping[str, str], path: Path) -> str:
    """What TensorBoard calls a run in its table: the teacher, and then the rest of its place in the study."""
    study = Path(config.get("results", ""), config.get("study", ""))
    if not path.is_relative_to(study):
        return str(path)
    parts = list(path.relative_to(study).parts)
    if names["teacher"] in parts:
        parts.remove(names["teacher"])
        parts.insert(0, names["teacher"])
    return "/".join(parts)


def _is_set(name: str, said: Sequence[str]) -> bool:
    """Whether a setting is among those keys, or below one of them; what a group chooses is not set."""
    if name in _NAMES or is_how(name):
        return False
    return any(name == key or (key not in _NAMES and name.startswith(f"{key}.")) for key in said)


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)

"""What sets a run apart from others, for TensorBoard's table of hyperparameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from .tensorboard_log import HParam


def hparams_of(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, HParam]:
    """Env, body, teacher, student and seed of a run, and the settings of its teacher.

    Args:
        config: Its resolved configuration.
        names: What the configuration calls its env, teacher and student.
    """
    hparams: dict[str, HParam] = {**names, "seed": config["seed"]}
    body = (config["env"] or {}).get("body")
    if body is not None:
        hparams["body"] = body if isinstance(body, str) else _shown(body)
    for name, value in _settings_in(config["teacher"], "teacher"):
        if value is not None:
            hparams[name] = value if isinstance(value, str | int | float) else _shown(value)
    return hparams


def hparam_names() -> set[str]:
    """The hyperparameters that runs can have; those of teachers from elsewhere are not known."""
    folder = files("chiron").joinpath("conf", "teacher")
    choices = (path for path in folder.iterdir() if path.name.endswith(".yaml"))
    settings = {
        name for choice in choices for name, _ in _settings_in(yaml.safe_load(choice.read_text()), "teacher")
    }
    return {"env", "body", "teacher", "student", "seed"} | settings


def run_name(config: Mapping[str, Any], path: Path) -> str:
    """What TensorBoard calls a run when it is shown its study."""
    study = Path(config.get("results", ""), config.get("study", ""))
    return str(path.relative_to(study) if path.is_relative_to(study) else path)


def _settings_in(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every setting in a node, targets left out."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _settings_in(value, f"{prefix}.{key}")
        elif key != "_target_":
            yield f"{prefix}.{key}", value


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)

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

    The seed is a text, which TensorBoard writes as `0`, and not as `0.0000`. TensorBoard sorts by name, and
    shows the first columns only: settings of env and student would stand before seed and teacher.

    Args:
        config: Its resolved configuration.
        names: What the configuration calls its env, teacher and student.
    """
    hparams: dict[str, HParam] = {**names, "seed": str(config["seed"])}
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
    choices = (yaml.safe_load(path.read_text()) for path in folder.iterdir() if path.name.endswith(".yaml"))
    settings = {name for content in choices for name, _ in _settings_in(content, "teacher")}
    return {"env", "body", "teacher", "student", "seed"} | {
        s for s in settings if not s.endswith(".defaults")
    }


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


def _settings_in(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every setting in a node, targets left out."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _settings_in(value, f"{prefix}.{key}")
        elif key != "_target_":
            yield f"{prefix}.{key}", value


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)

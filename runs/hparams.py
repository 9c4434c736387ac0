"""What sets a run apart from others: its row in TensorBoard's table of hparams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..conf.settings import settings_in, settings_of_group
from .tensorboard_log import HParam


def hparams_of(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, HParam]:
    """Env, body, teacher, student and seed of a run, and the settings of its teacher.

    Args:
        config: Its resolved configuration.
        names: What the configuration calls its env, teacher and student.
    """
    hparams: dict[str, HParam] = {**names, "seed": config["seed"]}
    body = config["env"].get("body")
    if body is not None:
        hparams["body"] = body if isinstance(body, str) else _shown(body)
    for name, value in settings_in(config["teacher"], "teacher"):
        if value is not None:
            hparams[name] = value if isinstance(value, str | int | float) else _shown(value)
    return hparams


def hparam_names() -> set[str]:
    """The hparams that runs can have; those of teachers from outside this repository are not known."""
    return {"env", "body", "teacher", "student", "seed"} | settings_of_group("teacher")


def run_name(config: Mapping[str, Any], path: Path) -> str:
    """What TensorBoard calls a run when it is shown its study."""
    study = Path(config["results"], config["study"])
    return str(path.relative_to(study) if path.is_relative_to(study) else path)


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)

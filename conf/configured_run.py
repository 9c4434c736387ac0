"""Builds a run from a resolved configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..runs.blaming import blaming
from ..runs.device import require_device
from ..runs.run_directory import RunDirectory
from ..runs.settings import RunSettings, settings_from
from ..runs.student_ranges import require_ranges
from .build import build, require_target
from .schema import OF_THE_COMMAND_LINE, require_whole

if TYPE_CHECKING:
    from ..runs.run import Run, RunCallback

_ADAPTER = "chiron.students.sb3_student.SB3Adapter"
_NORMALIZER = "stable_baselines3.common.vec_env.VecNormalize"


def settings_of(config: Mapping[str, Any]) -> RunSettings:
    """The settings of a resolved configuration.

    Raises:
        ValueError: If a key is unknown or a value cannot be used.
    """
    require_whole(config)
    of_run = {key: value for key, value in config.items() if key not in OF_THE_COMMAND_LINE}
    settings: RunSettings = settings_from(RunSettings, of_run)
    return settings


def run_from(
    config: Mapping[str, Any],
    names: Mapping[str, str],
    directory: RunDirectory,
    callbacks: Callable[[], Mapping[str, RunCallback]] = dict,
) -> Run:
    """Build the run that a resolved configuration describes.

    Args:
        config: A configuration with the keys of `RunConfig`.
        names: Names of its env, teacher and student in the configuration.
        directory: The run directory.
        callbacks: Makes additional callbacks.

    Raises:
        ValueError: If the configuration cannot be run; gives key, value and what is allowed.
    """
    settings = settings_of(config)
    built: dict[str, Any] = {}
    for group in ("env", "teacher"):
        with blaming(f"{group}={names[group]}"):
            built[group] = None if config[group]["_target_"] is None else build(config[group])
    # If torch has been imported already, the checks below are just as fast.
    if built["env"] is not None and "torch" not in sys.modules:
        _check_without_torch(config, names, built)
    from ..runs.make_run import Parts, assemble  # imports torch
    from ..students.sb3_student import SB3Adapter  # imports torch

    student = dict(config["student"])
    with blaming(f"student={names['student']}"):
        adapter = SB3Adapter.taken_from(student)
        adapter = build({"_target_": _ADAPTER, **asdict(adapter)})()
        if adapter.vec_normalize is not None:
            with blaming("vec_normalize"):
                normalizer = build({"_target_": _NORMALIZER, **adapter.vec_normalize})
            adapter = replace(adapter, vec_normalize=normalizer.keywords)
        built["student"] = build(student)
    configured: dict[str, Any] = {}
    for name, node in (config["callbacks"] or {}).items():
        with blaming(f"callbacks.{name}"):
            configured[name] = build(node)()
    parts = Parts(**built, adapter=adapter, names=names, config=config)
    return assemble(parts, settings, directory, {**configured, **callbacks()})


def _check_without_torch(
    config: Mapping[str, Any], names: Mapping[str, str], built: Mapping[str, Any]
) -> None:
    """Reject most invalid configurations within a second; making the run checks everything again."""
    # Imported here for start-up time.
    from ..envs.env_info import env_info
    from ..runs.made_env import made_env
    from ..runs.made_teacher import made_teacher

    with blaming(f"student={names['student']}"):
        require_target(config["student"])
        require_ranges(config["student"])
    env = made_env(f"env={names['env']}", built["env"])
    with blaming(f"env={names['env']}"):
        space = env_info(env).task_space
    env.close()
    made_teacher(f"teacher={names['teacher']}", built["teacher"], space, config["seed"])
    require_device(config["device"])

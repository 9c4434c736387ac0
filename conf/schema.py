"""The keys of a configuration: `RunSettings`, and those that only the command line has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from ..runs.settings import RunSettings, leaves

_TARGET = "_target_"

OF_THE_COMMAND_LINE = ("env", "teacher", "student", "callbacks", "study", "results", "objective")
"""The keys that `RunSettings` does not have."""
OBJECTIVES = ("mastered", "area", "return")
"""Objectives of a search: final mastery, mean mastery over training, or the return."""


@dataclass
class RunConfig(RunSettings):
    """Configuration of one run: its components, settings and directory.

    Attributes:
        env: The env, by `_target_`.
        teacher: The teacher, by `_target_`.
        student: A Stable-Baselines3 algorithm or a simulated student, by `_target_`.
        callbacks: Callbacks by name, each by `_target_`.
        study: Name of the folder that collects runs to be compared.
        results: Root folder of all results.
        objective: Objective of a search: mastered, area or return.
    """

    env: Any = MISSING
    teacher: Any = MISSING
    student: Any = MISSING
    callbacks: Any = MISSING
    study: str = "main"
    results: str = "results"
    objective: str = "mastered"


def require_whole(config: Mapping[str, Any]) -> None:
    """Check that a configuration has everything that a run needs.

    Args:
        config: A resolved configuration.

    Raises:
        ValueError: If something is missing, or a group holds no component.
    """
    whole = OmegaConf.to_container(OmegaConf.structured(RunConfig))
    assert isinstance(whole, dict)
    there = {key for key, _ in leaves(config)} | config.keys()
    for key, _ in leaves({str(key): value for key, value in whole.items()}):
        if key not in there:
            group = key.partition(".")[0]
            gone = key if any(other.startswith(f"{group}.") for other in there) else group
            raise ValueError(f"{gone} is missing: every run needs it, so ~{gone} is not possible")
    for group in ("env", "teacher", "student"):
        require_component(group, config[group])
    for name in ("study", "results"):
        if not config[name].strip():
            raise ValueError(f"{name}='' must be the name of a folder")
    if config["objective"] not in OBJECTIVES:
        raise ValueError(f"objective={config['objective']} must be one of {', '.join(OBJECTIVES)}")
    if not isinstance(config["callbacks"], Mapping | None):
        raise ValueError(f"callbacks={config['callbacks']} must be a choice, or a dict of callbacks by name")


def require_component(group: str, node: Any) -> dict[str, Any]:
    """Check that a group of a configuration holds a component (or for the env, a `_target_` of None).

    Args:
        group: env, teacher or student.
        node: Value of the group.

    Returns:
        The node.

    Raises:
        ValueError: If it is not a dict with a `_target_`.
    """
    if not isinstance(node, Mapping):
        raise ValueError(f"{group}={node} must be one of the choices, or a dict with {group}.{_TARGET}")
    if _TARGET not in node:
        raise ValueError(f"{group}.{_TARGET} is missing: it must be the import path of a class")
    if node[_TARGET] is None and (group != "env" or len(node) > 1):
        raise ValueError(f"{group}.{_TARGET}=null must be the import path of a class")
    return {str(key): value for key, value in node.items()}


def per_env(steps: int, n_envs: Any) -> int:
    """Steps per env so that `n_envs` envs make about `steps` in total."""
    # Invalid values such as n_envs=0 or n_envs=many are reported where settings are checked.
    return int(max(1, steps // max(1, n_envs))) if isinstance(n_envs, (int, float)) else steps


def expanded(folder: str) -> str:
    """A folder with `~` expanded to the home directory, which shells do not do in `results=~/x`."""
    return str(Path(folder).expanduser())


def workers_per_job(n_jobs: int) -> int:
    """The `n_workers` with which `n_jobs` jobs (in joblib's notation) share this machine's cores."""
    from joblib import cpu_count, effective_n_jobs  # here for start-up time: only parallel sweeps need it

    cores = cpu_count() // effective_n_jobs(n_jobs)
    return cores if cores > 1 else 0


def without_whole_numbers(settings: type[Any]) -> type[Any]:
    """A settings dataclass whose integers are checked by the settings themselves instead of OmegaConf.

    YAML reads `1e5` as a float, which OmegaConf rejects for an integer.
    """
    hints = get_type_hints(settings)
    parts: list[tuple[str, Any, Any]] = []
    for part in fields(settings):
        hint = hints[part.name]
        if isinstance(hint, type) and is_dataclass(hint):
            nested = without_whole_numbers(hint)
            parts.append((part.name, nested, field(default_factory=nested)))
        else:
            is_whole = hint is int or int in get_args(hint)
            parts.append((part.name, Any if is_whole else hint, field(default=part.default)))
    return make_dataclass(settings.__name__, parts)


ConfigStore.instance().store("schema", without_whole_numbers(RunConfig))
OmegaConf.register_new_resolver("expanded", expanded, replace=True)
OmegaConf.register_new_resolver("per_env", per_env, replace=True)
OmegaConf.register_new_resolver("workers_per_job", workers_per_job, replace=True)

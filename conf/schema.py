"""The keys of a configuration: `RunSettings`, and what only the command line has."""

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
"""What a search may be after: what is mastered at the end, or on average over training, or the return."""


@dataclass
class RunConfig(RunSettings):
    """One run: what to train on what, for how long, and where it goes.

    Attributes:
        env: The env, by `_target_`.
        teacher: Who chooses the tasks, by `_target_`.
        student: Who learns: a Stable-Baselines3 algorithm or a simulated student, by `_target_`.
        callbacks: What hears of the run's events: by name, each by `_target_`.
        study: Name of the folder that collects runs to be compared.
        results: Root folder of all results.
        objective: What a search is after: mastered, area or return.
    """

    env: Any = MISSING
    teacher: Any = MISSING
    student: Any = MISSING
    callbacks: Any = MISSING
    study: str = "main"
    results: str = "results"
    objective: str = "mastered"


def require_whole(config: Mapping[str, Any]) -> None:
    """Make sure that nothing has been taken out of a configuration that every run needs.

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
    """Make sure that a group of a configuration holds a component; for simulated students, an env is none.

    Args:
        group: env, teacher or student.
        node: What the group holds.

    Returns:
        The node.

    Raises:
        ValueError: If it is no dict with a `_target_`.
    """
    if not isinstance(node, Mapping):
        raise ValueError(f"{group}={node} must be one of the choices, or a dict with {group}.{_TARGET}")
    if _TARGET not in node:
        raise ValueError(f"{group}.{_TARGET} is missing: it must be the import path of a class")
    if node[_TARGET] is None and (group != "env" or len(node) > 1):
        raise ValueError(f"{group}.{_TARGET}=null must be the import path of a class")
    return {str(key): value for key, value in node.items()}


def per_env(steps: int, n_envs: Any) -> int:
    """Steps that each of `n_envs` envs makes so that together they make about `steps`."""
    # What is wrong with n_envs=0 or n_envs=many is said where settings are checked.
    return int(max(1, steps // max(1, n_envs))) if isinstance(n_envs, (int, float)) else steps


def expanded(folder: str) -> str:
    """A folder with `~` as the home directory, which shells leave as it is in `results=~/x`."""
    return str(Path(folder).expanduser())


def workers_per_job(n_jobs: int) -> int:
    """Which `n_workers` lets `n_jobs` jobs, as joblib counts them, share this machine's cores."""
    from joblib import cpu_count, effective_n_jobs  # only parallel sweeps pay for it

    cores = cpu_count() // effective_n_jobs(n_jobs)
    return cores if cores > 1 else 0


def without_whole_numbers(settings: type[Any]) -> type[Any]:
    """A dataclass of settings that leaves it to the settings themselves to check their whole numbers.

    YAML reads `1e5` as a float, which OmegaConf refuses where a whole number is asked for.
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

"""The run-level keys of a configuration: their types, defaults and ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf


@dataclass
class EvaluationConfig:
    """When and on what a student is tested.

    Attributes:
        every_steps: Training steps between evaluations.
        n_tasks: How many test tasks, drawn uniformly from the task space.
        seed: Which test tasks; keep it over all runs that are compared.
    """

    every_steps: int = MISSING
    n_tasks: int = MISSING
    seed: int = MISSING


@dataclass
class CheckpointConfig:
    """When the state of a run is kept, so that the same command can go on from it; whichever comes first.

    Attributes:
        every_steps: Training steps between checkpoints; None to go by the clock alone.
        every_minutes: Minutes between checkpoints; None to go by steps alone. Both None keeps no state.
    """

    every_steps: int | None = None
    every_minutes: float | None = None


@dataclass
class RunConfig:
    """One run: what to train on what, for how long, and where it goes.

    Attributes:
        env: The world, by `_target_`.
        teacher: Who chooses the tasks, by `_target_`.
        student: Who learns: a Stable-Baselines3 algorithm, by `_target_`.
        total_steps: Environment steps of training.
        n_envs: Worlds played side by side.
        n_workers: Processes that step the worlds, 0 for the run's own; threads, where one compiled call steps
            them all. Results do not depend on it.
        seed: Seeds everything the run draws.
        device: Where the student's networks live: auto, cpu, cuda or cuda:N.
        threads: CPU threads for the student's networks.
        study: Name of the folder that collects runs to be compared.
        results: Root folder of all results.
        pictures: Whether to draw what the teacher proposed and why, moment by moment, when the run ends.
        videos: Whether to record videos of the student at each evaluation, for TensorBoard.
        evaluation: When and on what the student is tested.
        checkpoint: When the run's state is kept.
    """

    env: Any = MISSING
    teacher: Any = MISSING
    student: Any = MISSING
    total_steps: int = MISSING
    n_envs: int = MISSING
    n_workers: int = MISSING
    seed: int = MISSING
    device: str = MISSING
    threads: int = MISSING
    study: str = MISSING
    results: str = MISSING
    pictures: bool = MISSING
    videos: bool = MISSING
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)


_AT_LEAST = {
    "total_steps": 1,
    "n_envs": 1,
    "n_workers": 0,
    "seed": 0,
    "threads": 1,
    "evaluation.every_steps": 1,
    "evaluation.n_tasks": 1,
    "evaluation.seed": 0,
}


def check_ranges(config: dict[str, Any]) -> None:
    """Refuse run-level values that no run can use.

    Args:
        config: A resolved configuration with the keys of `RunConfig`.

    Raises:
        ValueError: Naming key, value and what is allowed.
    """
    for key, least in _AT_LEAST.items():
        value: Any = config
        for part in key.split("."):
            value = value[part]
        if value < least:
            raise ValueError(f"{key}={value} must be at least {least}")
    for key, value in config["checkpoint"].items():
        if value is not None and not value > 0:
            raise ValueError(f"checkpoint.{key}={value} must be above 0, or null")
    for key in ("study", "results"):
        if not config[key].strip():
            raise ValueError(f"{key}='' must be the name of a folder")


def per_env(steps: int, n_envs: int) -> int:
    """Steps that each of `n_envs` worlds makes so that together they make about `steps`."""
    # What is wrong with n_envs=0 is said where ranges are checked.
    return max(1, steps // max(1, n_envs))


def workers_per_job(n_jobs: int) -> int:
    """Which `n_workers` lets `n_jobs` jobs, as joblib counts them, share this machine's cores."""
    # Imported here: only parallel sweeps pay for it.
    from joblib import cpu_count, effective_n_jobs

    cores = cpu_count() // effective_n_jobs(n_jobs)
    return cores if cores > 1 else 0


ConfigStore.instance().store("schema", RunConfig)
OmegaConf.register_new_resolver("per_env", per_env, replace=True)
OmegaConf.register_new_resolver("workers_per_job", workers_per_job, replace=True)

"""The keys of a configuration: `RunSettings`, and what only the command line has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from ..runs.settings import RunSettings

OF_THE_COMMAND_LINE = ("env", "teacher", "student", "callbacks", "study", "results")
"""The keys that `RunSettings` does not have."""


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
    """

    env: Any = MISSING
    teacher: Any = MISSING
    student: Any = MISSING
    callbacks: Any = MISSING
    study: str = "main"
    results: str = "results"


def per_env(steps: int, n_envs: int) -> int:
    """Steps that each of `n_envs` envs makes so that together they make about `steps`."""
    # What is wrong with n_envs=0 is said where ranges are checked.
    return max(1, steps // max(1, n_envs))


def workers_per_job(n_jobs: int) -> int:
    """Which `n_workers` lets `n_jobs` jobs, as joblib counts them, share this machine's cores."""
    from joblib import cpu_count, effective_n_jobs  # only parallel sweeps pay for it

    cores = cpu_count() // effective_n_jobs(n_jobs)
    return cores if cores > 1 else 0


ConfigStore.instance().store("schema", RunConfig)
OmegaConf.register_new_resolver("per_env", per_env, replace=True)
OmegaConf.register_new_resolver("workers_per_job", workers_per_job, replace=True)

"""Checks all jobs of a sweep before the first one starts, and prints what there is to do."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..runs import stop_signals
from .console import plain_console
from .refusal import refuse
from .search import Search
from .sweep import Sweep


class CheckJobs(Callback):
    """Builds each job of a sweep, so that an invalid one is rejected now and not after hours.

    Args:
        dry_run: Whether to print the table of jobs and exit.
    """

    sweep: ClassVar[Sweep | None] = None
    """The sweep that this process has started, if any."""

    def __init__(self, dry_run: bool = False) -> None:
        self._dry_run = dry_run

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        if self._dry_run:
            self._prepare(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.hydra.sweeper._target_.endswith(BasicSweeper.__name__):
            CheckJobs.sweep = self._prepare(config)
        elif not self._dry_run and config.hydra.sweeper._target_.endswith("OptunaSweeper"):
            CheckJobs.sweep = self._prepare(config, is_search=True)
        elif self._dry_run:
            refuse(ValueError("--dry-run cannot tell the jobs of a sweeper other than Hydra's own"))

    def _prepare(self, config: DictConfig, is_search: bool = False) -> Sweep:
        console = plain_console()
        try:
            sweep = (Search if is_search else Sweep)(config, sys.argv[1:])
            if sweep.launcher == "slurm":
                _require_slurm()
            sweep.check()
            if isinstance(sweep, Search):
                _leave_to_optuna(sweep)
        except (ValueError, HydraException, OmegaConfBaseException, YAMLError) as error:
            refuse(error)
        states = sweep.states()
        if self._dry_run:
            sweep.print_table(console, states)
            sys.exit(0)
        if not is_search:
            console.print(sweep.digest(states))
        is_batched = any(job.config["env"].get("engine") == "batched" for job in sweep.jobs)
        if sweep.launcher != "serial" and is_batched and any(s.kind != "finished" for s in states):
            _compile_engine()
        if stop_signals.times_asked():
            raise KeyboardInterrupt  # the compiler may have swallowed it
        if sweep.launcher == "joblib":
            # Imported here: other sweeps do not need joblib.
            from .joblib_jobs import tie_to_this_process

            tie_to_this_process()
        if sweep.launcher == "slurm":
            # Imported here: other sweeps do not need it.
            from .slurm_jobs import wait_with_squeue

            wait_with_squeue()
            folder = Path(str(config.hydra.sweep.dir), ".slurm")
            console.print(
                f"Waiting for Slurm; the output of the jobs is in {folder}", soft_wrap=True, highlight=False
            )
        return sweep


def _leave_to_optuna(search: Search) -> None:
    # It logs each of its parts on import.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Imported here: an optional dependency that other sweeps do not need.
    from .search_sweeper import search_with

    search_with(search)


def _require_slurm() -> None:
    for program in ("sbatch", "srun", "squeue"):
        if shutil.which(program) is None:
            raise ValueError(
                f"launcher=slurm needs Slurm's {program}, which is not on the PATH: start the sweep on "
                "a machine that jobs are submitted from"
            )


def _compile_engine() -> None:
    """Compile the batched engine, so that jobs that start together find it in Numba's cache."""
    envs = gym.make_vec("chiron/StumpTracks-v0", num_envs=1, vectorization_mode="vector_entry_point")
    envs.reset(seed=0)
    envs.close()

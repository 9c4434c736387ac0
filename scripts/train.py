"""chiron-train: executes one run, or a sweep of runs with -m."""

from __future__ import annotations

import logging
import multiprocessing
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from ..runs import stop_signals
from ..runs.checkpoints import CheckpointError
from ..runs.holding import NotOwnDirectoryError
from ..runs.run_lock import DirectoryBusyError
from .arguments import with_home
from .console import finished_already, outlive_the_terminal, plain_console, print_summary, result_line
from .hydra_command import hydra_errors_refused, keeping_errors, overrides_of
from .job import Job
from .job_check import CheckJobs
from .refusal import refuse, say_error
from .train_help import print_help

if TYPE_CHECKING:
    from ..runs.run import RunCallback

FAILED = 1
"""Exit code if training failed, or if jobs of a sweep have not finished."""
_PROGRAM, _DRY_RUN = "chiron-train", "--dry-run"


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    if {"--help", "-h"} & set(sys.argv[1:]):
        print_help(sys.argv[1:])
        return
    # Hydra prints log messages from INFO on; the terminal should only show our warnings.
    for name in ("chiron", "torch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    CheckJobs.sweep = None
    arguments, sys.argv[1:] = sys.argv[1:], _without_dry_run(with_home(sys.argv[1:]))
    try:
        with stop_signals.heard(raise_from=1):
            code = _train_and_report()
    except KeyboardInterrupt:
        code = stop_signals.exit_code()
    finally:
        sys.argv[1:] = arguments
    if code:
        sys.exit(code)


def _train_and_report() -> int:
    """Execute a run or a sweep, print the result, and return the exit code."""
    stopped = False
    try:
        with hydra_errors_refused(_PROGRAM, lambda: CheckJobs.sweep is not None):
            _train()
        # A single run that reaches its end was not stopped, even if a signal arrived.
        stopped = CheckJobs.sweep is not None and stop_signals.times_asked() > 0
    except (CheckpointError, DirectoryBusyError, NotOwnDirectoryError) as error:
        refuse(error)
    except KeyboardInterrupt:
        stopped = True
    except Exception as error:
        if CheckJobs.sweep is None and not _is_said_in_a_sentence(error):
            raise
        # Errors of jobs are recorded in their directories: this one is of a launcher that could not continue,
        # for example because a signal ended its workers.
        stopped = stop_signals.times_asked() > 0
        if not stopped:
            say_error(error, _PROGRAM)
            if CheckJobs.sweep is not None:
                CheckJobs.sweep.print_end(plain_console(), CheckJobs.sweep.states())
            return FAILED
    sweep = CheckJobs.sweep
    if sweep is None:
        return stop_signals.exit_code() if stopped else 0
    states = sweep.states()
    sweep.print_end(plain_console(), states)
    if all(state.kind == "finished" for state in states):
        return 0
    if stopped:
        print("Interrupted; the same command resumes it.")
        return stop_signals.exit_code()
    return FAILED


@hydra.main(version_base="1.3", config_path="pkg://chiron.conf", config_name="config")
@keeping_errors
def _train(config: DictConfig) -> float | None:
    """Execute the run of a composed configuration; returns the objective for jobs of a sweep."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode is RunMode.MULTIRUN:
        return _do_job(config, hydra_config)
    console = plain_console()
    try:
        job = Job(config, hydra_config)
        summary = job.finished_summary()
        run = None if summary is not None else job.build(lambda: _progress(console))
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        refuse(error)
    if run is None:
        assert summary is not None
        job.draw_what_is_missing()
        told = finished_already(summary, job.config["total_steps"])
        console.print(f"This run is {told}; its stored result:", soft_wrap=True)
    else:
        console.print(f"Training in {job.directory.path}", soft_wrap=True)
        try:
            summary = run.execute()
        except KeyboardInterrupt as interrupt:
            said = f"{_interrupted(interrupt).capitalize()}; the same command resumes it."
            console.print(said, soft_wrap=True)
            raise
    print_summary(console, job.directory, job.study, summary)
    return None


def _do_job(config: DictConfig, hydra_config: Any) -> float | None:
    """Execute one job of a sweep; its failure must not affect the others."""
    if stop_signals.times_asked():
        return None
    console = plain_console()
    label = " ".join(overrides_of(hydra_config))

    def say(what: str) -> None:
        console.print(f"{label}: {what}", soft_wrap=True)

    if multiprocessing.get_start_method(allow_none=True) == "loky":
        # joblib's own start method is unknown to worker processes that a job spawns for its envs.
        multiprocessing.set_start_method("spawn", force=True)
    is_alone = hydra_config.runtime.choices.launcher == "serial"
    try:
        job = Job(config, hydra_config)
        label = job.label
        summary = job.finished_summary()
        if summary is None:
            say("training")
            with stop_signals.heard(raise_from=1):
                summary = _build_and_execute(job, lambda: _progress(console, "" if is_alone else label))
            say(f"finished, {result_line(summary)}")
        else:
            job.draw_what_is_missing()
            say(f"{finished_already(summary, job.config['total_steps'])}, {result_line(summary)}")
    except KeyboardInterrupt as interrupt:
        say(_interrupted(interrupt))
        if is_alone:
            raise
        stop_signals.give_back_to_slurm()
        return None
    except Exception as error:
        say(f"failed: {_sentence_of(error)}")
        return None
    return job.objective(summary)


def _interrupted(interrupt: KeyboardInterrupt) -> str:
    return f"interrupted: {interrupt}" if str(interrupt) else "interrupted"


def _build_and_execute(job: Job, callbacks: Callable[[], dict[str, RunCallback]]) -> dict[str, Any]:
    """Build a job's run and execute it; a failure to build it is recorded in its directory."""
    from ..runs.failures import record_failure  # imports torch

    try:
        run = job.build(callbacks)
    except Exception as error:
        record_failure(job.directory, error)
        raise
    return run.execute()


def _progress(console: Console, label: str = "") -> dict[str, RunCallback]:
    from ..runs.progress import ProgressDisplay  # not needed to reject a configuration

    return {"progress": ProgressDisplay(console, label)}


def _sentence_of(error: BaseException) -> str:
    from ..runs.failures import sentence_of  # imports torch

    return sentence_of(error)


def _is_said_in_a_sentence(error: BaseException) -> bool:
    """Whether the error that ended a run comes from the env or the machine, and its message is sufficient."""
    # Imported here for start-up time: all import torch.
    from ..envs.finite import NotFiniteError
    from ..envs.vector.env_error import EnvError
    from ..runs.disk_error import DiskError

    # Torch has no exception class for it.
    is_out_of_memory = isinstance(error, MemoryError) or "allocate memory" in str(error)
    return is_out_of_memory or isinstance(error, (NotFiniteError, EnvError, DiskError))


def _without_dry_run(arguments: list[str]) -> list[str]:
    """Replace `--dry-run` by a Hydra override next to the others, since flags must not separate overrides."""
    if _DRY_RUN not in arguments:
        return arguments
    rest = [argument for argument in arguments if argument != _DRY_RUN]
    overrides = [n for n, argument in enumerate(rest) if "=" in argument and not argument.startswith("-")]
    place = overrides[-1] + 1 if overrides else len(rest)
    return [*rest[:place], "hydra.callbacks.check_jobs.dry_run=true", *rest[place:]]


if __name__ == "__main__":
    main()

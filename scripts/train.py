"""chiron-train: one run, or with -m a sweep of them."""

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

from ..runs.checkpoints import CheckpointError
from ..runs.holding import NotOwnDirectoryError
from ..runs.run_lock import DirectoryBusyError
from . import stop_signals
from .arguments import with_home
from .console import print_summary, result_line
from .hydra_command import hydra_errors_refused, keeping_errors
from .job import Job
from .job_check import CheckJobs
from .refusal import refuse, say_error
from .sweep import Sweep
from .train_help import print_help

if TYPE_CHECKING:
    from ..runs.run import RunCallback

FAILED, INTERRUPTED = 1, 130
"""Exit codes: training broke down, or jobs of a sweep are not done; stopped by Ctrl-C or SIGTERM."""
_PROGRAM, _DRY_RUN = "chiron-train", "--dry-run"


def main() -> None:
    """Run the command line."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print_help(sys.argv[1:])
        return
    # Hydra shows what is logged as information; here only warnings are for the terminal.
    logging.getLogger("chiron").setLevel(logging.WARNING)
    CheckJobs.sweep = None
    arguments, sys.argv[1:] = sys.argv[1:], _without_dry_run(with_home(sys.argv[1:]))
    try:
        with stop_signals.handled():
            with hydra_errors_refused(_PROGRAM, lambda: CheckJobs.sweep is not None):
                _train()
            stopped = stop_signals.is_asked_to_stop()
    except (CheckpointError, DirectoryBusyError, NotOwnDirectoryError) as error:
        refuse(error)
    except KeyboardInterrupt:
        stopped = True
    except Exception as error:
        if CheckJobs.sweep is None and not _is_said_in_a_sentence(error):
            raise
        # What a job raises stays in its directory: this is a launcher that could not go on, for one because a
        # signal ended what worked for it.
        stopped = stop_signals.is_asked_to_stop()
        if not stopped:
            say_error(error, _PROGRAM)
            _end(CheckJobs.sweep, FAILED)
    finally:
        sys.argv[1:] = arguments
    _end(CheckJobs.sweep, INTERRUPTED if stopped else 0)


@hydra.main(version_base="1.3", config_path="pkg://chiron.conf", config_name="config")
@keeping_errors
def _train(config: DictConfig) -> float | None:
    """Train what a composed configuration asks for; returns the final percentage mastered."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode is RunMode.MULTIRUN:
        return _do_job(config, hydra_config)
    console = Console()
    try:
        job = Job(config, hydra_config)
        summary = job.finished_summary()
        run = None if summary is not None else job.build(lambda: _progress(console))
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        refuse(error)
    if run is None:
        assert summary is not None
        console.print("This run is finished already; its stored result:")
    else:
        console.print(f"Training in {job.directory.path}", soft_wrap=True, highlight=False)
        try:
            with stop_signals.stoppable():
                summary = run.execute()
        except KeyboardInterrupt:
            console.print("Interrupted; what was logged so far is in the run's directory.")
            raise
    print_summary(console, job.directory, job.study, summary)
    mastered: float | None = summary["mastered_percent"]
    return mastered


def _do_job(config: DictConfig, hydra_config: Any) -> float | None:
    """Do one job of a sweep, whose failure is its own: the others must not hear of it."""
    if stop_signals.is_asked_to_stop():
        return None
    console = Console()
    label = " ".join(hydra_config.overrides.task)

    def say(what: str) -> None:
        console.print(f"{label}: {what}", soft_wrap=True, highlight=False, markup=False)

    if multiprocessing.get_start_method(allow_none=True) == "loky":
        # joblib's own, which a process that a job spawns for its envs would not know.
        multiprocessing.set_start_method("spawn", force=True)
    is_alone = hydra_config.runtime.choices.launcher == "serial"
    try:
        job = Job(config, hydra_config)
        label = job.label
        summary = job.finished_summary()
        if summary is None:
            say("training")
            with stop_signals.stoppable():
                summary = _build_and_execute(job, lambda: _progress(console, "" if is_alone else label))
            say(f"finished, {result_line(summary)}")
        else:
            say(f"finished already, {result_line(summary)}")
    except KeyboardInterrupt:
        say("interrupted")
        if is_alone:
            raise
        stop_signals.give_back_to_slurm()
        return None
    except Exception as error:
        say(f"failed: {_sentence_of(error)}")
        return None
    mastered: float | None = summary["mastered_percent"]
    return mastered


def _build_and_execute(job: Job, callbacks: Callable[[], dict[str, RunCallback]]) -> dict[str, Any]:
    """Build a job's run and execute it; that it could not even be built is written into its directory."""
    from ..runs.run import record_failure  # imports torch

    try:
        run = job.build(callbacks)
    except Exception as error:
        record_failure(job.directory, error)
        raise
    return run.execute()


def _progress(console: Console, label: str = "") -> dict[str, RunCallback]:
    from ..runs.progress import ProgressDisplay  # not needed to refuse a configuration

    return {"progress": ProgressDisplay(console, label)}


def _sentence_of(error: BaseException) -> str:
    from ..runs.run import sentence_of  # imports torch

    return sentence_of(error)


def _is_said_in_a_sentence(error: BaseException) -> bool:
    """Whether what ended a run is a fault of the env or the machine, whose message says everything."""
    # Imported here for start-up time: all import torch.
    from ..envs.vector.env_error import EnvError
    from ..runs.run import DiskError
    from ..students.curriculum_vec_env import NotFiniteError

    return isinstance(error, (NotFiniteError, EnvError, DiskError))


def _end(sweep: Sweep | None, code: int) -> None:
    """Print what came of a sweep, and leave with an exit code that says whether all is done."""
    if sweep is not None:
        states = sweep.states()
        sweep.print_end(Console(), states)
        if code == INTERRUPTED:
            print("Interrupted; the same command resumes it.")
        elif any(state.kind != "finished" for state in states):
            code = FAILED
    if code:
        sys.exit(code)


def _without_dry_run(arguments: list[str]) -> list[str]:
    """`--dry-run` as an override of Hydra's, put beside others, since flags must not part overrides."""
    if _DRY_RUN not in arguments:
        return arguments
    rest = [argument for argument in arguments if argument != _DRY_RUN]
    overrides = [n for n, argument in enumerate(rest) if "=" in argument and not argument.startswith("-")]
    place = overrides[-1] + 1 if overrides else len(rest)
    return [*rest[:place], "hydra.callbacks.check_jobs.dry_run=true", *rest[place:]]


if __name__ == "__main__":
    main()

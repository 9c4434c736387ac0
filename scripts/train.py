"""chiron-train: one run, or with -m a sweep of them."""

from __future__ import annotations

import os
import sys
import traceback

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from envs.vector_workers import WorkerError
from evaluation.checkpoints import CheckpointError
from evaluation.run_lock import DirectoryBusyError
from scripts.console import ProgressDisplay, print_summary
from scripts.job import Job
from scripts.refusal import refuse
from scripts.run import DiskError
from students.curriculum_vec_env import NotFiniteError

FAILED, INTERRUPTED = 1, 130
"""Exit codes: training broke down; stopped by Ctrl-C."""


def main() -> None:
    """Run the command line."""
    # Without this, Hydra prints whatever it catches in its own way and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        _train()
    except (HydraException, OmegaConfBaseException, CheckpointError, DirectoryBusyError) as error:
        refuse(error)
    except (NotFiniteError, WorkerError, DiskError) as error:
        print(f"chiron-train: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def _train(config: DictConfig) -> float | None:
    """Train what a composed configuration asks for; returns the final percentage mastered."""
    try:
        job = Job(config, HydraConfig.get())
        summary = job.finished_summary()
        run = None if summary is not None else job.build()
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        refuse(error)
    console = Console()
    if run is None:
        assert summary is not None
        console.print("This run had been finished; its stored result:")
    else:
        console.print(f"Training in {job.directory.path}", soft_wrap=True, highlight=False)
        try:
            with ProgressDisplay(console, job.config["total_steps"]) as progress:
                summary = run.execute(job.directory, progress)
        except KeyboardInterrupt:
            console.print("Interrupted; what was logged so far is in the run's directory.")
            raise
        except Exception:
            job.directory.log.write_text(traceback.format_exc())
            raise
    print_summary(console, job.directory, job.study, summary)
    mastered: float | None = summary["mastered_percent"]
    return mastered


if __name__ == "__main__":
    main()

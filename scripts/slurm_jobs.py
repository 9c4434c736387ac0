"""Waits for the jobs of a sweep in Slurm."""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.slurm import slurm
from submitit.slurm.slurm import SlurmExecutor, SlurmInfoWatcher, SlurmJob, read_job_id

_LONGEST_WAIT_SECONDS = 30
_LEFT_THE_QUEUE = "COMPLETED"


class QueueWatcher(SlurmInfoWatcher):
    """Queries job states with squeue; unlike submitit's own watcher it needs no accounting database."""

    def _make_command(self) -> list[str] | None:
        return ["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        text = string if isinstance(string, str) else string.decode()
        states = {}
        for line in text.splitlines():
            listed, _, state = line.strip().partition("|")
            for main, *bounds in read_job_id(listed):
                tasks = range(int(bounds[0]), int(bounds[-1]) + 1) if bounds else [None]
                for task in tasks:
                    states[main if task is None else f"{main}_{task}"] = {"State": state}
        # Slurm forgets jobs a few minutes after their end.
        return {job: states.get(job, {"State": _LEFT_THE_QUEUE}) for job in self._registered}


class PatientJob(SlurmJob[Any]):
    """A job of a sweep; if it is lost, the sweep still waits for the others."""

    watcher = QueueWatcher(delay_s=_LONGEST_WAIT_SECONDS)
    # A job without a result was cancelled or killed; results are not delayed by a slow file system.
    _results_timeout_s = 5

    def results(self) -> list[Any]:
        try:
            return super().results()
        except (UncompletedJobError, FailedJobError):
            print(
                f"Slurm's job {self.job_id} ended without a result; its output: {self.paths.stdout}",
                file=sys.stderr,
            )
            return [JobReturn(status=JobStatus.COMPLETED)]


def wait_with_squeue() -> None:
    """Make submitit, and thus Hydra's launcher, wait for jobs in this way."""
    SlurmExecutor.job_class = PatientJob
    # For job arrays, which sweeps are, submitit looks the class up by name.
    slurm.SlurmJob = PatientJob  # type: ignore[misc]

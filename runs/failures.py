"""How the failure of a run is recorded and reported."""

from __future__ import annotations

import contextlib
import os
import socket
import traceback
from datetime import UTC, datetime
from typing import Any

from ..envs.vector.env_error import EnvError
from .disk_error import DiskError
from .holding import last_summary
from .run_directory import RunDirectory


def record_failure(directory: RunDirectory, error: Exception) -> None:
    """Record in a run's directory that it failed before training started; a finished run is left unchanged.

    Args:
        directory: The run directory; created if absent.
        error: The cause.
    """
    last = last_summary(directory) or {}
    if last.get("status") == "finished":
        return
    # If even this cannot be written, the original error is the one to report.
    with contextlib.suppress(OSError):
        directory.path.mkdir(parents=True, exist_ok=True)
        times = {"began": now(), "ended": now()}
        summary = {"status": "failed", "error": sentence_of(error), **process_facts(), **times}
        directory.write_summary({**last, **summary})
        write_traceback(directory, error)


def sentence_of(error: BaseException) -> str:
    """The message of an error on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(dict.fromkeys([lines[0], lines[-1]])) if lines else ""
    if isinstance(error, ValueError | DiskError | EnvError) and text:
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def write_traceback(directory: RunDirectory, error: Exception) -> None:
    """Write the traceback of an error to the log of a run."""
    with contextlib.suppress(OSError):
        directory.log.write_text("".join(traceback.format_exception(error)))


def process_facts() -> dict[str, Any]:
    """Facts about the process that executes a run, for its summary."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "slurm_job": os.environ.get("SLURM_JOB_ID")}


def now() -> str:
    """The current time (UTC), for a summary."""
    return datetime.now(UTC).isoformat(timespec="seconds")

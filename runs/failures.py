"""What is written and said of a run that failed."""

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
    """Say in a run's directory that it failed before training started; a finished run stays as it is.

    Args:
        directory: Of the run; made if absent.
        error: Why.
    """
    last = last_summary(directory) or {}
    if last.get("status") == "finished":
        return
    # Where not even this can be written, the error itself is what has to be reported.
    with contextlib.suppress(OSError):
        directory.path.mkdir(parents=True, exist_ok=True)
        times = {"began": now(), "ended": now()}
        summary = {"status": "failed", "error": sentence_of(error), **process_facts(), **times}
        directory.write_summary({**last, **summary})
        write_traceback(directory, error)


def sentence_of(error: BaseException) -> str:
    """What went wrong, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(dict.fromkeys([lines[0], lines[-1]])) if lines else ""
    if isinstance(error, ValueError | DiskError | EnvError) and text:
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def write_traceback(directory: RunDirectory, error: Exception) -> None:
    """Write where an error came from into the log of a run."""
    with contextlib.suppress(OSError):
        directory.log.write_text("".join(traceback.format_exception(error)))


def process_facts() -> dict[str, Any]:
    """Which process works for a run, for its summary."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "slurm_job": os.environ.get("SLURM_JOB_ID")}


def now() -> str:
    """The time (UTC), for a summary."""
    return datetime.now(UTC).isoformat(timespec="seconds")

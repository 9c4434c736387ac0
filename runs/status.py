"""What a job says of itself, while it runs and when it has ended: `status.json`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..envs.vector.async_vector_env import WorkerError
from ..students.curriculum_vec_env import NotFiniteError
from ..teachers.episode import Episode
from .run import DiskError, Watcher
from .run_directory import RunDirectory
from .whole_files import replacing


class StatusKeeper:
    """Keeps a run's `status.json` true, and passes on what the run says.

    The file is written when the run first says something, so that a run which finds its directory in use
    leaves it alone.

    Args:
        directory: Where the run leaves its files.
        watcher: Who else wants to hear how the run is going.
    """

    def __init__(self, directory: RunDirectory, watcher: Watcher) -> None:
        self._directory = directory
        self._watcher = watcher
        self._began = _now()
        self._is_written = False

    def advance(self, step: int) -> None:
        self._begin()
        self._watcher.advance(step)

    def hear_resume(self, step: int, notices: Sequence[str]) -> None:
        self._begin()
        self._watcher.hear_resume(step, notices)

    def hear_episode(self, episode: Episode) -> None:
        self._begin()
        self._watcher.hear_episode(episode)

    def hear_evaluation(self, step: int, mastered_percent: float, return_mean: float) -> None:
        self._begin()
        self._watcher.hear_evaluation(step, mastered_percent, return_mean)

    def end(self, status: str, error: BaseException | None = None) -> None:
        """Say how the run ended, and leave the traceback of an error in the run's log.

        Args:
            status: finished, interrupted or failed.
            error: Why it failed.
        """
        if status == "interrupted" and not self._is_written:
            return
        # Where not even this can be written, the error itself is what has to be heard of.
        with contextlib.suppress(OSError):
            self._directory.path.mkdir(parents=True, exist_ok=True)
            self._write(status, error)
            if error is not None:
                self._directory.log.write_text("".join(traceback.format_exception(error)))

    def _begin(self) -> None:
        if not self._is_written:
            self._write("running")
            self._is_written = True

    def _write(self, status: str, error: BaseException | None = None) -> None:
        content = {
            "status": status,
            "error": None if error is None else sentence_of(error),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "began": self._began,
            "ended": None if status == "running" else _now(),
        }
        with replacing(self._directory.status) as file:
            file.write_text(json.dumps(content, indent=2) + "\n")


def read_status(directory: RunDirectory) -> dict[str, Any]:
    """The content of a run's `status.json`, empty if it has none that can be read."""
    try:
        content: dict[str, Any] = json.loads(directory.status.read_text())
    except (OSError, ValueError):
        return {}
    return content


def sentence_of(error: BaseException) -> str:
    """What went wrong, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # What is raised in another process ends with the error itself, after its traceback.
    text = " ".join(dict.fromkeys([lines[0], lines[-1]])) if lines else ""
    if isinstance(error, ValueError | DiskError | WorkerError | NotFiniteError) and text:
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

"""Locks a run directory, so that only one process uses it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO


class DirectoryBusyError(ValueError):
    """Another process is using a run's directory."""


class RunLock:
    """Context manager that locks a run directory; the system releases the lock when the process ends.

    Args:
        path: The lock file. It says who holds the lock, and remains after its release.

    Raises:
        DirectoryBusyError: On entering, if another process holds the lock; gives host, process and time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+")
        while not _try(self._file, fcntl.LOCK_EX):
            if not _try(self._file, fcntl.LOCK_SH):
                self._file.close()
                raise DirectoryBusyError(
                    f"{self._path.parent} is in use by {holder(self._path) or 'another process'}: wait for "
                    "it, or stop it"
                )
            # No process holds the directory: the lock was blocked briefly by a call of `is_held`.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": since}, self._file)
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Emptied before the release: a file that names a holder is locked, or its holder was killed.
        self._file.truncate(0)
        self._file.close()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file."""
    try:
        with path.open() as file:
            return not _try(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _try(file: IO[str], kind: int) -> bool:
    """Try to acquire a lock without waiting; whether that succeeded."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(path: Path) -> str | None:
    """The holder named in a lock file, in words; None if it names none."""
    try:
        written = json.loads(path.read_text())
        return f"process {written['pid']} on {written['host']}, since {written['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None

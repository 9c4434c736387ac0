"""Who works in a run's directory."""

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
    """Another process works in a run's directory."""


class RunLock:
    """Holds a run's directory for this process, as a context; the system lets go of it when the process ends.

    Args:
        path: The file that is locked. It says who holds it, and stays when the lock is gone.

    Raises:
        DirectoryBusyError: On entering, if another process holds it: host, process and since when.
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
            # Nobody holds the directory: what stood in the way was somebody who asked whether it is held.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": since}, self._file)
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Emptied first: a file that names a holder is a held one, or one whose holder was killed.
        self._file.truncate(0)
        self._file.close()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of this file."""
    try:
        with path.open() as file:
            return not _try(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _try(file: IO[str], kind: int) -> bool:
    """Whether a lock could be had at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(path: Path) -> str | None:
    """Who wrote into a lock's file that it holds it, in words; None if nobody did."""
    try:
        written = json.loads(path.read_text())
        return f"process {written['pid']} on {written['host']}, since {written['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None

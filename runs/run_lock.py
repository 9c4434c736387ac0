"""Who works in a run's directory."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType


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
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise DirectoryBusyError(
                f"{self._path.parent} is in use by {holder(self._path) or 'another process'}: wait for it, "
                "or stop it"
            ) from None
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
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def holder(path: Path) -> str | None:
    """Who wrote into a lock's file that it holds it, in words; None if nobody did."""
    try:
        written = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return f"process {written['pid']} on {written['host']}, since {written['since']}"

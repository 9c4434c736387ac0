"""Signals that stop a run: after the first it saves its state and stops, after a second it stops at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_BATCH_WARNING = signal.SIGUSR2
"""Signal that submitit's jobs receive before their time limit or a preemption."""
_SAME_REQUEST_SECONDS = 1.0
"""Batch systems and `timeout` send SIGTERM to a process and to its group; this counts as one request."""
_GRACE_SECONDS = 600.0

_heard: list[int] = []
_heard_at = 0.0
_raise_from: int | None = None
"""Number of signals from which on a KeyboardInterrupt is raised; None for never."""
_listener: Callable[[], None] | None = None
_before: dict[int, Any] = {}
"""The previous signal handlers."""


@contextlib.contextmanager
def heard(raise_from: int) -> Iterator[None]:
    """Count signals and end the block with a KeyboardInterrupt; earlier signals only print a message.

    Handles SIGINT, SIGTERM and a batch system's warning; a lost terminal (SIGHUP) is ignored, and so is
    SIGINT if it was ignored before. Signals are counted from the start of the outermost block. In threads
    other than the main one nothing changes.

    Args:
        raise_from: Number of the first signal that ends the block.
    """
    global _raise_from
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_outermost = not _before
    if is_outermost:
        listen()
    outside, _raise_from = _raise_from, raise_from
    try:
        if len(_heard) >= raise_from:
            raise KeyboardInterrupt
        yield
    finally:
        _raise_from = outside
        if is_outermost:
            _give_back()


def listen() -> None:
    """Count signals from now on, indefinitely; outside of `heard` they do not stop anything."""
    _heard.clear()
    numbers = [signal.SIGINT, signal.SIGTERM, *([_BATCH_WARNING] if _is_in_slurm() else [])]
    for number in [*numbers, signal.SIGHUP]:
        handler = signal.getsignal(number)
        # None: a handler not installed from Python, which Python could not restore.
        if handler not in (signal.SIG_IGN, None):
            _before[number] = handler
            signal.signal(number, _hear if number in numbers else signal.SIG_IGN)


def times_asked() -> int:
    """Number of counted requests to stop this process."""
    return len(_heard) if _before else 0


def pass_on(listener: Callable[[], None]) -> None:
    """Make the first signal call a function instead of stopping, until the end of the innermost block."""
    global _raise_from, _listener
    _raise_from, _listener = 2, listener


def exit_code() -> int:
    """Exit code of a process that was asked to stop, as in shells: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def give_back_to_slurm() -> None:
    """Hand a job that Slurm asked to stop back to Slurm, once the run's state has been saved.

    After a warning of a time limit or a preemption the job is requeued. After a SIGTERM, wait for Slurm to
    end the job and decide whether to requeue it: a job that exits by itself would not be requeued.
    """
    if not _is_in_slurm() or not _heard:
        return
    of_the_launcher = signal.getsignal(_heard[0])
    if callable(of_the_launcher):
        of_the_launcher(_heard[0], None)
    time.sleep(_GRACE_SECONDS)


def _give_back() -> None:
    global _listener
    _listener = None
    for number, handler in _before.items():
        signal.signal(number, handler)
    _before.clear()


def _is_in_slurm() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _hear(number: int, frame: FrameType | None) -> None:
    global _heard_at
    now = time.monotonic()
    if _heard and number != signal.SIGINT and now - _heard_at < _SAME_REQUEST_SECONDS:
        return
    _heard.append(number)
    _heard_at = now
    if _listener is not None and len(_heard) == 1:
        _listener()
    if _raise_from is None:
        return
    if len(_heard) >= _raise_from:
        raise KeyboardInterrupt
    # The signal may have interrupted a print, or the terminal may be gone.
    with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):
        sys.stderr.write("Stopping as soon as nothing is lost; a second Ctrl-C or SIGTERM stops at once.\n")
        sys.stderr.flush()

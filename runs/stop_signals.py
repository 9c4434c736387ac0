"""Signals that ask a run to stop: after the first it saves its state and ends, after a second at once."""

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
"""What submitit's jobs hear before their time limit or a preemption."""
_SAME_REQUEST_SECONDS = 1.0
"""Batch systems and `timeout` send SIGTERM to a process and to its group, which is one request to stop."""
_GRACE_SECONDS = 600.0

_heard: list[int] = []
_heard_at = 0.0
_raise_from: int | None = None
"""From which signal on a KeyboardInterrupt is raised; None for never."""
_listener: Callable[[], None] | None = None
_before: dict[int, Any] = {}
"""The handlers that were there before ours."""


@contextlib.contextmanager
def heard(raise_from: int) -> Iterator[None]:
    """Let signals end a block with a KeyboardInterrupt; one that comes earlier is noted, and said.

    SIGINT and SIGTERM are heard, and a batch system's warning; a lost terminal (SIGHUP) is ignored, and so is
    SIGINT where it was ignored before. Signals are counted from the beginning of the outermost block on. In
    threads other than the main one nothing changes.

    Args:
        raise_from: Which signal ends the block, and those after it.
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
    """Count signals from now on, without an end; they end nothing outside of `heard`."""
    _heard.clear()
    numbers = [signal.SIGINT, signal.SIGTERM, *([_BATCH_WARNING] if _is_in_slurm() else [])]
    for number in [*numbers, signal.SIGHUP]:
        handler = signal.getsignal(number)
        # None: a handler that is not Python's, and which Python could not give back.
        if handler not in (signal.SIG_IGN, None):
            _before[number] = handler
            signal.signal(number, _hear if number in numbers else signal.SIG_IGN)


def times_asked() -> int:
    """How often this process has been asked to stop, while it hears that."""
    return len(_heard) if _before else 0


def pass_on(listener: Callable[[], None]) -> None:
    """Let the first signal call a function and end nothing, to the end of the innermost block."""
    global _raise_from, _listener
    _raise_from, _listener = 2, listener


def exit_code() -> int:
    """What a process that was asked to stop exits with, as in shells: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def give_back_to_slurm() -> None:
    """Let Slurm go on with a job that it asked to stop, now that everything of the run is safe.

    After the warning of a time limit or a preemption the job is queued again. After a SIGTERM it is Slurm
    that ends it, and queues it again or not: a job that left by itself would not be queued again.
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
    # The handler may have interrupted somebody who is printing, or there may be no terminal any more.
    with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):
        sys.stderr.write("Stopping as soon as nothing is lost; a second Ctrl-C or SIGTERM stops at once.\n")
        sys.stderr.flush()

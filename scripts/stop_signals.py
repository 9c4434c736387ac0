"""Ending a run in good order when a signal asks for it: Ctrl-C, SIGTERM, a batch system's warning."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_BATCH_WARNING = signal.SIGUSR2
"""What submitit's jobs hear before their time limit or a preemption."""
_GRACE_SECONDS = 600.0

_asked: int | None = None
"""The signal that asked this process to stop."""
_running = False
_launchers_own: dict[int, Any] = {}


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Give signals back to who handled them before, once a command is done."""
    global _asked
    _asked = None
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, _BATCH_WARNING)}
    try:
        yield
    finally:
        _launchers_own.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let each of the signals end the block with a KeyboardInterrupt.

    Those after the first are not heard, except for further Ctrl-C. A signal that comes between two blocks
    ends the next one before it begins.
    """
    global _running
    numbers = [signal.SIGINT, signal.SIGTERM]
    if _is_in_slurm():
        numbers.append(_BATCH_WARNING)
    for number in numbers:
        handler = signal.getsignal(number)
        if handler is not _hear:
            _launchers_own[number] = handler
            signal.signal(number, _hear)
    if _asked is not None:
        raise KeyboardInterrupt
    _running = True
    try:
        yield
    finally:
        _running = False


def is_asked_to_stop() -> bool:
    """Whether this process has heard a signal that asks it to stop."""
    return _asked is not None


def forward_to_children() -> None:
    """Let the processes that work for this one stop in good order; a second Ctrl-C does not wait for that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _forward)


def give_back_to_slurm() -> None:
    """Let Slurm go on with a job that it asked to stop, now that everything of the run is safe.

    After the warning of a time limit or a preemption the job is queued again. After a SIGTERM it is Slurm
    that ends it, and queues it again or not: a job that left by itself would not be queued again.
    """
    if not _is_in_slurm() or _asked is None:
        return
    handler: Callable[[int, FrameType | None], object] = _launchers_own[_asked]
    for number in (signal.SIGTERM, _BATCH_WARNING):
        signal.signal(number, _launchers_own[number])
    handler(_asked, None)
    time.sleep(_GRACE_SECONDS)


def _is_in_slurm() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _hear(number: int, frame: FrameType | None) -> None:
    global _asked
    first = _asked is None
    if first:
        _asked = number
    if _running and (first or number == signal.SIGINT):
        raise KeyboardInterrupt


def _forward(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked is not None:
        raise KeyboardInterrupt
    _asked = number
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGTERM)

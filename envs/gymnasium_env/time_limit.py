"""A time limit for calls of third-party code that may never return."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Raise an error in Python code that runs longer than this.

    Does nothing outside the main thread, the only one that signals interrupt, or if an earlier alarm is due.

    Raises:
        TimeoutError: After `seconds`.
    """
    earlier = signal.getitimer(signal.ITIMER_REAL)[0]
    if threading.current_thread() is not threading.main_thread() or 0 < earlier <= seconds:
        yield
        return

    def end(*_: object) -> NoReturn:
        raise TimeoutError(f"{what} took longer than {seconds:g} s")

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if earlier:
            signal.setitimer(signal.ITIMER_REAL, max(earlier - (time.monotonic() - began), 1e-3))

"""Start and end of the worker processes of a sweep that runs its jobs in parallel."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from functools import partial

from ..runs import stop_signals
from .console import outlive_the_terminal

_LOOK_SECONDS = 0.5


def tie_to_this_process() -> None:
    """Make joblib's workers end with this process, and forward its stop signals to them."""
    # Imported here: an optional dependency.
    from hydra_plugins.hydra_joblib_launcher import _core
    from joblib import Parallel

    _core.Parallel = partial(Parallel, initializer=_begin, initargs=(os.getpid(),))
    stop_signals.pass_on(_stop_children)


def _begin(parent: int) -> None:
    """Initialize a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    stop_signals.listen()
    outlive_the_terminal()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process if its parent has been killed and so could not stop it."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _stop_children() -> None:
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)

"""The state of a run, determined from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .holding import NotOwnDirectoryError, holding
from .run_directory import RunDirectory
from .run_lock import holder, is_held


@dataclass(frozen=True)
class RunState:
    """The state of a run.

    Attributes:
        kind: refused (its directory holds another run), running (in another process), finished, failed (in
            the last attempt), resume (from a checkpoint), or start.
        step: Step of the checkpoint it would resume from; None if it would start from the beginning.
        note: Why it is refused or failed, or which process runs it.
        summary: Its summary, if finished.
    """

    kind: Literal["refused", "running", "finished", "failed", "resume", "start"]
    step: int | None = None
    note: str = ""
    summary: dict[str, Any] | None = None


def run_state(directory: RunDirectory, config: Mapping[str, Any]) -> RunState:
    """Determine the state of a run without changing anything.

    Args:
        directory: The run directory.
        config: The configuration of the run.
    """
    # Checked first, so that a run that ends meanwhile has written its last summary before that is read.
    is_running = is_held(directory.lock)
    try:
        held = holding(directory, config)
    except NotOwnDirectoryError as error:
        return RunState("refused", note=str(error))
    if held.kind == "finished":
        return RunState("finished", summary=held.summary)
    step = directory.checkpointed_step()
    if is_running:
        return RunState("running", step, holder(directory.lock) or "")
    left = held.summary or {}
    if left.get("status") == "failed":
        return RunState("failed", step, str(left.get("error")))
    return RunState("start" if step is None else "resume", step)

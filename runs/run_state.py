"""How far a run has come, told from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .holding import NotOwnDirectoryError, holding
from .run_directory import RunDirectory
from .run_lock import holder, is_held


@dataclass(frozen=True)
class RunState:
    """How far a run has come.

    Attributes:
        kind: refused (its directory holds another run), running (in another process), finished, failed (the
            last time), to resume from a checkpoint, or to start.
        step: Steps of the checkpoint it would resume from; None if it would begin anew.
        note: Why it is refused or failed; who runs it.
        summary: What it left, if finished.
    """

    kind: Literal["refused", "running", "finished", "failed", "resume", "start"]
    step: int | None = None
    note: str = ""
    summary: dict[str, Any] | None = None


def run_state(directory: RunDirectory, config: Mapping[str, Any]) -> RunState:
    """How far a run has come, without doing anything about it.

    Args:
        directory: Of the run.
        config: The configuration of the run.
    """
    # Asked first: a run that ends meanwhile has written its last summary by then.
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

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from chiron.runs.run_lock import DirectoryBusyError, RunLock, holder, is_held


def hold(path: Path, told: Connection) -> None:
    with RunLock(path):
        told.send("held")
        told.recv()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "run.lock"


def test_second_process_says_who_holds_it(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(path, theirs))
    process.start()
    assert ours.recv() == "held"
    assert is_held(path)
    with pytest.raises(DirectoryBusyError, match=rf"{path.parent} is in use by process {process.pid} on "):
        RunLock(path).__enter__()
    process.kill()
    process.join()
    # The system releases the locks of a killed process.
    assert not is_held(path)
    with RunLock(path):
        assert f"process {os.getpid()} " in (holder(path) or "")


def test_lets_go(path: Path) -> None:
    assert not is_held(path)
    with RunLock(path):
        assert is_held(path)
    assert not is_held(path)
    assert holder(path) is None

"""Power cuts: every file is on disk before any file that relies on it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chiron import make_run
from chiron.runs.run_directory import RunDirectory
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Random


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Every flush to disk and every rename of a file to its final name, in order."""
    recorded: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, Path.replace

    def recording_fsync(descriptor: int) -> None:
        recorded.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def recording_replace(path: Path, target: Any) -> Path:
        recorded.append(("name", Path(target).absolute()))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "replace", recording_replace)
    return recorded


@pytest.mark.medium
def test_what_counts_on_a_file_comes_after_it(calls: list[tuple[str, Path]], tmp_path: Path) -> None:
    run = make_run(
        None,
        Random,
        partial(ToyGrid),
        tmp_path / "run",
        total_steps=1_300,
        evaluation={"every_steps": 600},
        checkpoint={"every_steps": 500},
    )
    del run.callbacks["figure"]
    run.execute()
    left = RunDirectory(tmp_path / "run")
    first_state = next(
        number for number, (what, path) in enumerate(calls) if what == "name" and path.suffix == ".npz"
    )
    start, checkpoint = calls[:first_state], calls[first_state:]

    def last(what: str, path: Path) -> int:
        return max(number for number, call in enumerate(start) if call == (what, path))

    # The configuration is on disk before anything else is written.
    assert last("name", left.config) < last("flush", left.path) < first_state
    # The logs and their names are on disk before the state that relies on them gets its name.
    for log in (left.evaluations, left.snapshots, *left.event_files()):
        assert last("flush", log) < first_state
    assert last("flush", left.path) > max(last("flush", log) for log in left.event_files())
    state = checkpoint[0][1]
    assert start[-1] == ("flush", state.with_name(f".part-{state.name}"))
    assert checkpoint[1] == ("flush", left.checkpoints)
    # A part of the episode log is on disk before the state that relies on it, which is the second.
    part = left.episodes / "part-00000.parquet"
    order = [call for call in calls if call[0] == "name" or call[1] == left.episodes]
    states = [number for number, (_, path) in enumerate(order) if path.suffix == ".npz"]
    assert order.index(("name", part)) < order.index(("flush", left.episodes)) < states[1]
    # "finished" is written after everything that it covers; moved files are flushed before.
    finished = max(number for number, call in enumerate(calls) if call == ("name", left.summary))
    flushed = [path.name for what, path in calls[:finished] if what == "flush"]
    of_the_end = flushed[flushed.index(left.competence.name) :]
    for log in (left.evaluations, left.snapshots, *left.event_files()):
        assert log.name in of_the_end

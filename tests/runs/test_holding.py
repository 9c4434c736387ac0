"""How a run treats the contents of its directory: it loses neither foreign files nor finished runs."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chiron import Run, make_run
from chiron.runs.holding import NotOwnDirectoryError, holding
from chiron.runs.run_directory import RunDirectory
from chiron.runs.run_lock import RunLock
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Random


def new_run(folder: Path, **settings: Any) -> Run:
    tiny = {"total_steps": 20, "evaluation": {"every_steps": 10}, "checkpoint": {"every_steps": 5}}
    run = make_run(None, Random, ToyGrid, folder, **{**tiny, **settings})
    run.callbacks = {name: each for name, each in run.callbacks.items() if name != "figure"}
    return run


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def finished(tmp_path: Path) -> RunDirectory:
    run = new_run(tmp_path / "run")
    run.execute()
    (run.directory.path / "notes.txt").write_text("mine")
    return run.directory


def test_a_finished_run_is_left_as_it_is(finished: RunDirectory) -> None:
    before = content(finished.path)
    assert new_run(finished.path).execute() == json.loads(before["summary.json"])
    assert content(finished.path).keys() == before.keys()
    assert content(finished.path)["episodes/part-00000.parquet"] == before["episodes/part-00000.parquet"]


def folder_for_config(run: RunDirectory) -> None:
    run.config.unlink()
    run.config.mkdir()


DAMAGES: dict[str, tuple[Callable[[RunDirectory], object], str]] = {
    "no config": (lambda run: run.config.unlink(), "config.yaml is missing beside"),
    "empty config": (lambda run: run.config.write_text(""), "config.yaml is empty or cannot be read beside"),
    "binary config": (lambda run: run.config.write_bytes(b"\xff\x00"), "config.yaml is empty or cannot be"),
    "config is a folder": (
        folder_for_config,
        "config.yaml is empty or cannot be read beside",
    ),
    "config is a word": (lambda run: run.config.write_text("word"), "config.yaml is empty or cannot be read"),
    "no summary": (lambda run: run.summary.unlink(), "summary.json is missing, so the run may be finished"),
    "cut summary": (lambda run: run.summary.write_text('{"st'), "summary.json cannot be read, so the run"),
    "another run": (
        lambda run: run.config.write_text(run.config.read_text().replace("seed: 0", "seed: 7")),
        r"which differs in (evaluation.seed=0 \(there: 7\), )?seed=0 \(there: 7\)",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_foreign_run_is_refused_by_name_and_stays(finished: RunDirectory, name: str) -> None:
    damage, sentence = DAMAGES[name]
    damage(finished)
    shutil.rmtree(finished.checkpoints)
    before = content(finished.path)
    with pytest.raises(NotOwnDirectoryError, match=sentence):
        new_run(finished.path).execute()
    assert content(finished.path) == before


def test_a_directory_of_somebody_else_is_not_begun_in(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NotOwnDirectoryError, match=r"holds notes\.txt but no run"):
        new_run(tmp_path).execute()
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_beginning_again_removes_files_of_the_run_alone(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    directory = run.directory
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "letter.txt").write_text("mine")
    directory.path.mkdir()
    directory.begin(run.config)
    for left in ("episodes/part-00007.parquet", "model.zip", ".part-x", "events.out.tfevents.1", "run.log"):
        (directory.path / left).parent.mkdir(exist_ok=True)
        (directory.path / left).write_text("old")
    directory.checkpoints.symlink_to(elsewhere)
    directory.write_summary({"status": "interrupted"})
    for mine in ("notes.txt", "episodes/plot.svg", "tensorboard/events.out.tfevents.2"):
        (directory.path / mine).parent.mkdir(exist_ok=True)
        (directory.path / mine).write_text("mine")
    assert holding(directory, run.config).kind == "start"
    assert run.execute()["status"] == "finished"
    there = content(directory.path)
    for mine in ("notes.txt", "episodes/plot.svg", "tensorboard/events.out.tfevents.2"):
        assert there[mine] == b"mine"
    assert content(elsewhere) == {"letter.txt": b"mine"}
    assert b"old" not in there.values()
    assert len(directory.read_episodes()) == 20


def test_two_commands_that_race_do_not_remove_what_the_first_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, enter = new_run(tmp_path / "run"), RunLock.__enter__

    def after_the_first(lock: RunLock) -> None:
        monkeypatch.setattr(RunLock, "__enter__", enter)
        assert new_run(tmp_path / "run").execute()["status"] == "finished"
        enter(lock)

    monkeypatch.setattr(RunLock, "__enter__", after_the_first)
    before = second.execute()
    assert before["status"] == "finished"
    assert second.steps == 0
    assert second.directory.read_summary() == before


def test_a_status_query_does_not_keep_a_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "run")
    run.directory.path.mkdir()
    flock = fcntl.flock
    with run.directory.lock.open("a+") as query:
        flock(query, fcntl.LOCK_SH)

        def let_go(file: Any, kind: int) -> None:
            """Release the query's lock once the run has asked who holds it."""
            flock(file, kind)
            if kind == fcntl.LOCK_UN:
                flock(query, fcntl.LOCK_UN)

        monkeypatch.setattr(fcntl, "flock", let_go)
        assert run.execute()["status"] == "finished"

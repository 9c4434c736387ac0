from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chiron.runs.run_directory import RunDirectory
from chiron.scripts import compare, evaluate, picture, train, watch
from filelock import FileLock

from tests.commands import run_here

SharedRun = Callable[..., RunDirectory]


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> SharedRun:
    """Trains a run that tests only read, once for all of them: `shared_run(name, *arguments)`."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # shared by all workers

    def train_once(name: str, *arguments: str) -> RunDirectory:
        place = folder / "shared_runs" / name
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock")):
            if not any(place.rglob("summary.json")):
                finished = run_here(place, "chiron-train", *arguments)
                assert finished.returncode == 0, finished.stderr
        return only_run(place)

    return train_once


@pytest.fixture
def chiron_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blank_figures: None) -> Any:
    """`chiron-train` in this process and an empty folder, with blank figures; returns the exit code."""
    return _command("chiron-train", train.main, monkeypatch, tmp_path)


@pytest.fixture
def chiron_watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`chiron-watch` in this process and an empty folder; returns the exit code."""
    return _command("chiron-watch", watch.main, monkeypatch, tmp_path)


@pytest.fixture
def chiron_compare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`chiron-compare` in this process and an empty folder; returns the exit code."""
    return _command("chiron-compare", compare.main, monkeypatch, tmp_path)


@pytest.fixture
def chiron_evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`chiron-evaluate` in this process and an empty folder; returns the exit code."""
    return _command("chiron-evaluate", evaluate.main, monkeypatch, tmp_path)


@pytest.fixture
def chiron_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`chiron-picture` in this process and an empty folder; returns the exit code."""
    return _command("chiron-picture", picture.main, monkeypatch, tmp_path)


def _command(
    name: str, main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> Callable[..., int]:
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        try:
            main()
        except SystemExit as exit_:
            return exit_.code if isinstance(exit_.code, int) else 1
        return 0

    return run


def only_run(folder: Path) -> RunDirectory:
    """The one run below a folder."""
    (summary,) = folder.rglob("summary.json")
    return RunDirectory(summary.parent)

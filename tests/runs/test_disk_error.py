"""A disk error ends a run with a sentence, and the same command continues it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chiron import Run, RunCallback
from chiron.runs.disk_error import DiskError
from chiron.runs.run_directory import RunDirectory

from tests.runs.test_holding import new_run

pytestmark = pytest.mark.usefixtures("blank_figures")


class Nuisance(RunCallback):
    """Tampers with a run's directory after some steps."""

    def __init__(self, what: Callable[[RunDirectory], object]) -> None:
        self._what = what

    def on_step(self, run: Run) -> None:
        if run.steps == 14:
            self._what(run.directory)


def limit(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def deny(directory: RunDirectory) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(directory.evaluations))


def take_away(directory: RunDirectory) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


NUISANCES: dict[str, tuple[Callable[[RunDirectory], object], str]] = {
    "EFBIG": (lambda directory: limit(resource.RLIMIT_FSIZE, 2_000), r"File too large \(ulimit -f"),
    "EMFILE": (lambda directory: limit(resource.RLIMIT_NOFILE, 0), r"Too many open files \(ulimit -n"),
    "ENOENT": (lambda directory: shutil.rmtree(directory.path), "No such file|non-existent directory"),
    "EPERM": (deny, "Operation not permitted"),
    "EROFS": (take_away, "Read-only file system"),
}


@pytest.mark.medium
@pytest.mark.parametrize("name", NUISANCES)
def test_a_run_ends_with_a_sentence_and_continues(name: str, tmp_path: Path) -> None:
    what, sentence = NUISANCES[name]
    disturbed = new_run(tmp_path / "run")
    disturbed.callbacks = {"nuisance": Nuisance(what), **disturbed.callbacks}
    before = [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)]
    try:
        with pytest.raises(
            DiskError, match=f"{disturbed.directory.path} cannot be used any more: ({sentence})"
        ):
            disturbed.execute()
    finally:
        for kind, old in zip((resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE), before, strict=True):
            resource.setrlimit(kind, old)
    again, whole = new_run(tmp_path / "run"), new_run(tmp_path / "whole")
    assert again.execute()["status"] == whole.execute()["status"] == "finished"
    assert again.directory.read_episodes().equals(whole.directory.read_episodes())
    assert again.directory.read_evaluations().equals(whole.directory.read_evaluations())


def test_errors_of_others_are_passed_on(tmp_path: Path) -> None:
    def of_the_user(directory: RunDirectory) -> Any:
        return (tmp_path / "missing.csv").read_text()

    run = new_run(tmp_path / "run")
    run.callbacks = {"nuisance": Nuisance(of_the_user), **run.callbacks}
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        run.execute()

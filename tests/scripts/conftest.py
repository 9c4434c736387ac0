from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.run_directory import RunDirectory
from scripts import train


@pytest.fixture
def chiron_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`chiron-train` in this process and an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["chiron-train", *arguments])
        try:
            train.main()
        except SystemExit as exit_:
            return exit_.code if isinstance(exit_.code, int) else 1
        return 0

    return run


def only_run(folder: Path) -> RunDirectory:
    """The one run below a folder."""
    (summary,) = folder.rglob("summary.json")
    return RunDirectory(summary.parent)

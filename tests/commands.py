"""Commands as users type them, run in this process: starting a process takes longer than most runs."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Finished:
    """Exit code and output of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_here(folder: Path, command: str, *arguments: str) -> Finished:
    """Run a command such as `chiron-train` in this process, in a folder."""
    main = importlib.import_module(f"chiron.scripts.{command.removeprefix('chiron-')}").main
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        # Outside of tests, warnings of libraries are not errors.
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        patch.chdir(folder)
        patch.setattr(sys, "argv", [command, *arguments])
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
    return Finished(code, out.getvalue(), err.getvalue())

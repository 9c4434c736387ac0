"""Prints the result of a run to the terminal."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..runs.printable import printable
from ..runs.run_directory import RunDirectory


def plain_console() -> Console:
    """A console without markup, since names from files and command lines must be printed literally."""
    return Console(highlight=False, markup=False, emoji=False)


def print_summary(console: Console, directory: RunDirectory, study: Path, summary: dict[str, Any]) -> None:
    """Print the result of a run, the path of its figure, and how to view its study in TensorBoard."""
    names = [summary[key] for key in ("env", "teacher", "student")]
    table = Table(title=Text(printable(" · ".join([*names, f"seed {summary['seed']}"]))))
    for heading in ("mastered", "return", "steps", "episodes", "time", "steps/s", "status"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row(
        _shown(summary["mastered_percent"], "{:.0f}%"),
        _shown(summary["return_mean"], "{:.1f}"),
        f"{summary['steps']:,}",
        f"{summary['episodes']:,}",
        _clock(summary["wall_seconds"]),
        f"{summary['steps_per_second']:,.0f}",
        Text(printable(summary["status"])),
    )
    console.print(table)
    if directory.figure.exists():
        console.print(f"Figure:       {printable(directory.figure)}", soft_wrap=True)
    console.print(f"TensorBoard:  tensorboard --logdir '{printable(study)}'", soft_wrap=True)


def result_line(summary: dict[str, Any]) -> str:
    """The result of a run in a few words."""
    mastered = _shown(summary["mastered_percent"], "{:.0f}%")
    return f"{mastered} mastered, {summary['steps']:,} steps in {_clock(summary['wall_seconds'])}"


def finished_already(summary: dict[str, Any], total_steps: int) -> str:
    """Message for a run that has already finished with at least as many steps as requested."""
    if summary["total_steps"] <= total_steps:
        return "finished already"
    return f"finished already, after {summary['steps']:,} steps, which is more than total_steps={total_steps}"


class _Outliving(io.FileIO):
    """A standard stream that discards output once its terminal or reader is gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def outlive_the_terminal() -> None:
    """Keep this process running if its terminal or pipe is closed or cannot encode the output.

    Characters that cannot be encoded are printed as "?".
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or stream is not getattr(sys, f"__{name}__"):
            continue
        with suppress(OSError):
            stream.flush()
        raw = _Outliving(stream.fileno(), "w", closefd=False)
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw), stream.encoding, "replace", line_buffering=stream.line_buffering
        )
        setattr(sys, name, lasting)


def _clock(wall_seconds: float) -> str:
    minutes, seconds = divmod(round(wall_seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)

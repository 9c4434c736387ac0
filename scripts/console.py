"""What a person sees of a run in the terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..runs.run_directory import RunDirectory
from ..teachers.episode import Episode

_REFRESH_SECONDS = 0.5
_RECENT_EPISODES = 100


class ProgressDisplay:
    """A bar with steps per second, time left, recent return and percentage mastered.

    Where the output is no terminal, or several runs share it, only the lines about evaluations are printed.

    Args:
        console: Where to show it.
        total_steps: Steps of the whole run.
        label: Which run it is, where several share the console.
    """

    def __init__(self, console: Console, total_steps: int, label: str = "") -> None:
        self._progress = Progress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]:>6,.0f} steps/s"),
            TextColumn("return {task.fields[recent]:>6.1f}"),
            TextColumn("mastered {task.fields[mastered]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=bool(label) or not console.is_terminal,
        )
        self._console = console
        self._prefix = f"{label}: " if label else ""
        self._bar = self._progress.add_task(
            "learning", total=total_steps, speed=0.0, recent=float("nan"), mastered="–"
        )
        self._returns: deque[float] = deque(maxlen=_RECENT_EPISODES)
        self._shown_at = time.monotonic()
        self._shown_steps = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def advance(self, step: int) -> None:
        elapsed = time.monotonic() - self._shown_at
        if elapsed < _REFRESH_SECONDS:
            return
        speed = (step - self._shown_steps) / elapsed
        recent = sum(self._returns) / len(self._returns) if self._returns else float("nan")
        self._progress.update(self._bar, completed=step, speed=speed, recent=recent)
        self._shown_at, self._shown_steps = time.monotonic(), step

    def hear_resume(self, step: int, notices: Sequence[str]) -> None:
        for notice in notices:
            note = f"{self._prefix}[bold yellow]Note:[/] {escape(notice)}"
            self._console.print(note, highlight=False, soft_wrap=True)
        self._console.print(f"{self._prefix}Going on from the checkpoint at {step:,} steps.", highlight=False)
        self._shown_steps = step
        self._progress.update(self._bar, completed=step)

    def hear_episode(self, episode: Episode) -> None:
        self._returns.append(episode.episode_return)

    def hear_evaluation(self, step: int, mastered_percent: float, return_mean: float) -> None:
        self._progress.update(self._bar, completed=step, mastered=f"{mastered_percent:.0f}%")
        self._console.print(
            f"{self._prefix}[bold]{step:>10,}[/] steps: [bold]{mastered_percent:3.0f}%[/] of the test tasks "
            f"mastered, mean return {return_mean:.1f}",
            soft_wrap=bool(self._prefix),
            highlight=False,
        )


def print_summary(console: Console, directory: RunDirectory, study: Path, summary: dict[str, Any]) -> None:
    """Print the result of a run, where its figure is, and how to see its study in TensorBoard."""
    names = [summary[key] for key in ("env", "teacher", "student")]
    table = Table(title=" · ".join([*names, f"seed {summary['seed']}"]))
    for heading in ("mastered", "return", "steps", "episodes", "time", "steps/s", "status"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row(
        _shown(summary["mastered_percent"], "{:.0f}%"),
        _shown(summary["return_mean"], "{:.1f}"),
        f"{summary['steps']:,}",
        f"{summary['episodes']:,}",
        _clock(summary["wall_seconds"]),
        f"{summary['steps_per_second']:,.0f}",
        summary["status"],
    )
    console.print(table)
    if directory.figure.exists():
        console.print(f"Figure:       {directory.figure}", soft_wrap=True, highlight=False)
    console.print(f"TensorBoard:  tensorboard --logdir '{study}'", soft_wrap=True, highlight=False)


def result_line(summary: dict[str, Any]) -> str:
    """The result of a run in a few words."""
    mastered = _shown(summary["mastered_percent"], "{:.0f}%")
    return f"{mastered} mastered, {summary['steps']:,} steps in {_clock(summary['wall_seconds'])}"


def _clock(wall_seconds: float) -> str:
    minutes, seconds = divmod(round(wall_seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)

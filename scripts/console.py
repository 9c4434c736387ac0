"""What a person sees of a run in the terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import safe_mean

from evaluation.callback import mastered_percent, return_mean
from evaluation.evaluate import TaskResult
from evaluation.run_directory import RunDirectory

_REFRESH_SECONDS = 0.5


class ProgressCallback(BaseCallback):
    """A bar with steps per second, time left, recent return and percentage mastered.

    Where the output is no terminal, only the lines about evaluations are printed.

    Args:
        console: Where to show it.
        total_steps: Steps of the whole training.
    """

    def __init__(self, console: Console, total_steps: int) -> None:
        super().__init__()
        self._progress = Progress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]:>6,.0f} steps/s"),
            TextColumn("return {task.fields[recent]:>6.1f}"),
            TextColumn("mastered {task.fields[mastered]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._console = console
        self._bar = self._progress.add_task(
            "training", total=total_steps, speed=0.0, recent=float("nan"), mastered="–"
        )
        self._shown_at = time.monotonic()
        self._shown_steps = 0

    def _on_training_start(self) -> None:
        self._progress.start()

    def _on_step(self) -> bool:
        elapsed = time.monotonic() - self._shown_at
        if elapsed >= _REFRESH_SECONDS:
            speed = (self.num_timesteps - self._shown_steps) / elapsed
            recent = safe_mean([episode["r"] for episode in self.model.ep_info_buffer or []])
            self._progress.update(self._bar, completed=self.num_timesteps, speed=speed, recent=recent)
            self._shown_at, self._shown_steps = time.monotonic(), self.num_timesteps
        return True

    def show_evaluation(self, step: int, results: list[TaskResult]) -> None:
        """Print a line about an evaluation, and put its percentage beside the bar."""
        percent = mastered_percent(results)
        self._progress.update(self._bar, completed=step, mastered=f"{percent:.0f}%")
        self._console.print(
            f"[bold]{step:>10,}[/] steps: mastered {sum(row.mastered for row in results)} of "
            f"{len(results)} test tasks ([bold]{percent:.0f}%[/]), mean return {return_mean(results):.1f}",
            highlight=False,
        )

    def stop(self) -> None:
        """Take the bar away, however the training ended."""
        self._progress.stop()


def print_summary(console: Console, directory: RunDirectory, study: Path, summary: dict[str, Any]) -> None:
    """Print the result of a run, where its figure is, and how to see its study in TensorBoard."""
    table = Table(title=f"{summary['env']} · {summary['teacher']} · {summary['student']}")
    for heading in ("mastered", "mean return", "steps", "episodes", "time", "steps/s", "seed", "status"):
        table.add_column(heading, justify="right")
    minutes, seconds = divmod(round(summary["wall_seconds"]), 60)
    table.add_row(
        _shown(summary["mastered_percent"], "{:.0f}%"),
        _shown(summary["return_mean"], "{:.1f}"),
        f"{summary['steps']:,}",
        f"{summary['episodes']:,}",
        f"{minutes}:{seconds:02d}",
        f"{summary['steps_per_second']:,.0f}",
        str(summary["seed"]),
        summary["status"],
    )
    console.print(table)
    if directory.figure.exists():
        console.print(f"Figure:       {directory.figure}", soft_wrap=True, highlight=False)
    console.print(f"TensorBoard:  tensorboard --logdir '{study}'", soft_wrap=True, highlight=False)


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)

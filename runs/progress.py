"""Shows the progress of a run in the terminal while it trains."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .run import RunCallback

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from ..teachers.episode import Episode
    from .run import Run

_REFRESH_SECONDS = 0.5
_RECENT_EPISODES = 100


class ProgressDisplay(RunCallback):
    """Shows a progress bar with steps per second, time left, recent return and percentage mastered.

    If the output is not a terminal, or several runs share it, only one line per evaluation is printed.

    Args:
        console: Console to print on.
        label: Name of the run if several share the console.
    """

    def __init__(self, console: Console | None = None, label: str = "") -> None:
        self._console = console or Console(highlight=False, emoji=False)
        self._progress = Progress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]:>6,.0f} steps/s"),
            TextColumn("return {task.fields[recent]:>6.1f}"),
            TextColumn("mastered {task.fields[mastered]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=bool(label) or not self._console.is_terminal,
        )
        self._prefix = f"{escape(label)}: " if label else ""
        self._bar = self._progress.add_task("learning", speed=0.0, recent=float("nan"), mastered="–")
        self._returns: deque[float] = deque(maxlen=_RECENT_EPISODES)
        self._shown_at = time.monotonic()
        self._shown_steps = 0

    def on_start(self, run: Run) -> None:
        self._progress.start()
        self._progress.update(self._bar, total=run.settings.total_steps, completed=run.steps)
        self._shown_steps = run.steps
        for notice in run.notices:
            note = f"{self._prefix}[bold yellow]Note:[/] {escape(notice)}"
            self._console.print(note, markup=True, soft_wrap=True)
        if run.is_resumed:
            line = f"{self._prefix}Resuming from the checkpoint at {run.steps:,} steps."
            self._console.print(line, markup=True)

    def on_step(self, run: Run) -> None:
        elapsed = time.monotonic() - self._shown_at
        if elapsed < _REFRESH_SECONDS:
            return
        speed = (run.steps - self._shown_steps) / elapsed
        recent = sum(self._returns) / len(self._returns) if self._returns else float("nan")
        self._progress.update(self._bar, completed=run.steps, speed=speed, recent=recent)
        self._shown_at, self._shown_steps = time.monotonic(), run.steps

    def on_episode(self, run: Run, episode: Episode) -> None:
        assert episode.episode_return is not None
        self._returns.append(episode.episode_return)

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        step, percent = evaluation.step, evaluation.mastered_percent
        self._progress.update(self._bar, completed=step, mastered=f"{percent:.0f}%")
        self._console.print(
            f"{self._prefix}[bold]{step:>10,}[/] steps: [bold]{percent:3.0f}%[/] of the test tasks "
            f"mastered, mean return {evaluation.return_mean:.1f}",
            soft_wrap=bool(self._prefix),
            markup=True,
        )

    def on_training_end(self, run: Run) -> None:
        self._progress.stop()

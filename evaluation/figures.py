"""Figures of a run, drawn from its files alone."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from envs.task_space import RESERVED_NAMES
from evaluation.run_directory import RunDirectory

_STEPS = EngFormatter(sep="")
_MASTERED, _NOT_MASTERED = "#1b7837", "#c2a5cf"


def draw_curriculum(directory: RunDirectory) -> None:
    """Draw what was proposed over time and what is mastered, into the run's `curriculum.png`.

    Args:
        directory: A run with at least one evaluation.
    """
    evaluations = directory.read_evaluations()
    columns = [name for name in evaluations.columns if name not in RESERVED_NAMES]
    last = evaluations[evaluations["step"] == evaluations["step"].max()]
    try:
        episodes = directory.read_episodes()
    except FileNotFoundError:
        episodes = pd.DataFrame(columns=["step", *columns])

    if len(columns) == 2:
        figure = Figure(figsize=(15, 4.5), layout="constrained")
        curve, proposed, mastered = figure.subplots(1, 3)
        _draw_proposals(figure, proposed, episodes, columns)
        _draw_mastery(mastered, last, columns)
        mastered.sharex(proposed)
        mastered.sharey(proposed)
    else:
        rows = math.ceil((len(columns) + 1) / 3)
        figure = Figure(figsize=(15, 4 * rows), layout="constrained")
        curve, *panels = figure.subplots(rows, 3, squeeze=False).ravel()
        for column, panel in zip(columns, panels, strict=False):
            _draw_marginal(panel, episodes, last, column)
        for panel in panels[len(columns) :]:
            panel.set_axis_off()
    _draw_learning_curve(curve, evaluations)
    summary = directory.read_summary() or {}
    figure.suptitle("  ·  ".join(str(summary.get(key)) for key in ("env", "teacher", "student")))
    figure.savefig(directory.figure, dpi=110)


def _draw_learning_curve(axes: Axes, evaluations: pd.DataFrame) -> None:
    percent = 100 * evaluations.groupby("step")["mastered"].mean()
    axes.plot(percent.index, percent.to_numpy(), marker="o", color=_MASTERED)
    axes.set(xlabel="training steps", ylabel="mastered test tasks (%)", ylim=(0, 100), title="Learning curve")
    axes.xaxis.set_major_formatter(_STEPS)
    axes.grid(alpha=0.3)


def _draw_proposals(figure: Figure, axes: Axes, episodes: pd.DataFrame, columns: list[str]) -> None:
    x, y = columns
    points = axes.scatter(episodes[x], episodes[y], c=episodes["step"], s=5, cmap="viridis")
    figure.colorbar(points, ax=axes, label="training steps", format=_STEPS)
    axes.set(xlabel=x, ylabel=y, title=f"{len(episodes)} training tasks")


def _draw_mastery(axes: Axes, last: pd.DataFrame, columns: list[str]) -> None:
    x, y = columns
    for mastered, color, marker in ((True, _MASTERED, "o"), (False, _NOT_MASTERED, "x")):
        rows = last[last["mastered"] == mastered]
        label = f"{'' if mastered else 'not '}mastered ({len(rows)})"
        axes.scatter(rows[x], rows[y], color=color, marker=marker, label=label)
    axes.set(xlabel=x, ylabel=y, title=f"Test tasks after {last['step'].iloc[0]:,} steps")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)


def _draw_marginal(axes: Axes, episodes: pd.DataFrame, last: pd.DataFrame, column: str) -> None:
    axes.scatter(episodes["step"], episodes[column], s=3, color="0.6", label="training tasks")
    mastered = last[last["mastered"]]
    axes.scatter(mastered["step"], mastered[column], color=_MASTERED, label="mastered test tasks")
    axes.set(xlabel="training steps", ylabel=column, title=column)
    axes.xaxis.set_major_formatter(_STEPS)
    axes.legend(loc="upper left")

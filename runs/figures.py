"""Figures of a run, drawn from its files alone."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from ..envs.task_space import RESERVED_NAMES
from .run_directory import RunDirectory
from .whole_files import replacing

STEPS = EngFormatter(sep="")
"""Writes 1500000 as 1.5M on an axis."""

_MASTERED, _NOT_MASTERED = "#1b7837", "#c2a5cf"


def task_columns(episodes: pd.DataFrame) -> list[str]:
    """The columns of an episode log that make up the task."""
    return [name for name in episodes.columns if name not in RESERVED_NAMES]


def title_of(directory: RunDirectory) -> str:
    """World, teacher and student of a run."""
    summary = directory.read_summary() or {}
    return "  ·  ".join(str(summary.get(key)) for key in ("env", "teacher", "student"))


def draw_curriculum(directory: RunDirectory) -> None:
    """Draw learning curve, tasks proposed over time and tasks mastered, into the run's `curriculum.png`.

    Args:
        directory: A run with at least one evaluation and one finished episode; otherwise nothing is drawn.
    """
    try:
        episodes = directory.read_episodes()
    except FileNotFoundError:
        return
    columns = task_columns(episodes)
    evaluations = directory.read_evaluations()
    last = evaluations[evaluations["step"] == evaluations["step"].max()]
    tested = last if "task_index" in last else None

    panels_needed = 1 + (len(columns) if len(columns) != 2 else 1 if tested is None else 2)
    rows = math.ceil(panels_needed / 3)
    figure = Figure(figsize=(5 * min(panels_needed, 3), 4.5 * rows), layout="constrained")
    curve, *panels = figure.subplots(rows, min(panels_needed, 3), squeeze=False).ravel()
    _draw_learning_curve(curve, directory)
    if len(columns) == 2:
        _draw_proposals(figure, panels[0], episodes, columns)
        if tested is not None:
            _draw_mastery(panels[1], tested, columns)
            panels[1].sharex(panels[0])
            panels[1].sharey(panels[0])
    else:
        for column, panel in zip(columns, panels, strict=False):
            _draw_marginal(panel, episodes, tested, column)
    for panel in panels[panels_needed - 1 :]:
        panel.set_axis_off()
    figure.suptitle(title_of(directory))
    with replacing(directory.figure) as file:
        figure.savefig(file, dpi=110)


def _draw_learning_curve(axes: Axes, directory: RunDirectory) -> None:
    mastery = directory.read_mastery()
    axes.plot(mastery.index, mastery.to_numpy(), marker="o", color=_MASTERED)
    axes.set(xlabel="training steps", ylabel="mastered (%)", ylim=(0, 100), title="Learning curve")
    axes.xaxis.set_major_formatter(STEPS)
    axes.grid(alpha=0.3)


def _draw_proposals(figure: Figure, axes: Axes, episodes: pd.DataFrame, columns: list[str]) -> None:
    x, y = columns
    points = axes.scatter(episodes[x], episodes[y], c=episodes["step"], s=5, cmap="viridis")
    figure.colorbar(points, ax=axes, label="training steps", format=STEPS)
    axes.set(xlabel=x, ylabel=y, title=f"{len(episodes):,} training tasks")


def _draw_mastery(axes: Axes, tested: pd.DataFrame, columns: list[str]) -> None:
    x, y = columns
    for mastered, color, marker in ((True, _MASTERED, "o"), (False, _NOT_MASTERED, "x")):
        rows = tested[tested["mastered"] == mastered]
        label = f"{'' if mastered else 'not '}mastered ({len(rows)})"
        axes.scatter(rows[x], rows[y], color=color, marker=marker, label=label)
    axes.set(xlabel=x, ylabel=y, title=f"Test tasks after {tested['step'].iloc[0]:,} steps")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)


def _draw_marginal(axes: Axes, episodes: pd.DataFrame, tested: pd.DataFrame | None, column: str) -> None:
    axes.scatter(episodes["step"], episodes[column], s=3, color="0.6", label="training tasks")
    if tested is not None:
        mastered = tested[tested["mastered"]]
        axes.scatter(mastered["step"], mastered[column], color=_MASTERED, label="mastered test tasks")
        axes.legend(loc="upper left")
    axes.set(xlabel="training steps", ylabel=column, title=column)
    axes.xaxis.set_major_formatter(STEPS)

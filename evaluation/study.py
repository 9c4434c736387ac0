"""Runs of one study side by side: percentage mastered over time, by teacher."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from evaluation.figures import STEPS
from evaluation.run_directory import RunDirectory

_CONFIDENCE = 0.95


def read_study(folder: Path) -> pd.DataFrame:
    """The percentage mastered in every finished run below a folder.

    Args:
        folder: Any folder that holds runs.

    Returns:
        One row per run and evaluation: `env`, `teacher`, `student`, `seed`, `step`, `mastered_percent`.

    Raises:
        FileNotFoundError: If there is no finished run.
    """
    rows = []
    for path in sorted(folder.rglob("summary.json")):
        directory = RunDirectory(path.parent)
        summary = directory.read_summary()
        if summary is None or summary["status"] != "finished":
            continue
        run = {key: summary[key] for key in ("env", "teacher", "student", "seed")}
        mastery = directory.read_mastery()
        rows += [
            {**run, "step": step, "mastered_percent": percent}
            for step, percent in zip(mastery.index, mastery, strict=True)
        ]
    if not rows:
        raise FileNotFoundError(f"{folder} holds no finished run")
    return pd.DataFrame(rows)


def summarize(study: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds, by env, student, teacher and step.

    Returns:
        One row each, with `seeds`, `mean`, `sd` (over seeds; NaN for one seed) and `margin`, the half width
        of Student's 95% confidence interval of the mean.
    """
    groups = study.groupby(["env", "student", "teacher", "step"])["mastered_percent"]
    summary = groups.agg(seeds="count", mean="mean", sd="std").reset_index()
    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, summary["seeds"] - 1)
    summary["margin"] = quantile * summary["sd"] / summary["seeds"] ** 0.5
    return summary


def draw_study(study: pd.DataFrame, path: Path) -> None:
    """Draw mean and confidence band of each teacher over time; one panel per world and student.

    Args:
        study: As `read_study` returns it.
        path: The picture to write.
    """
    summary = summarize(study)
    panels = list(summary.groupby(["env", "student"]))
    figure = Figure(figsize=(7 * len(panels), 4.6), layout="constrained")
    for axes, ((env, student), panel) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        final = panel.sort_values("step").groupby("teacher")["mean"].last()
        for teacher in final.sort_values(ascending=False).index:
            rows = panel[panel["teacher"] == teacher]
            (line,) = axes.plot(rows["step"], rows["mean"], label=f"{teacher} ({rows['seeds'].max()} seeds)")
            low, high = rows["mean"] - rows["margin"], rows["mean"] + rows["margin"]
            axes.fill_between(rows["step"], low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axes.set(xlabel="training steps", ylabel="mastered (%)", ylim=(0, 100), title=f"{env} · {student}")
        axes.xaxis.set_major_formatter(STEPS)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=110)

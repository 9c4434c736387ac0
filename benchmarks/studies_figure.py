"""Curves of the registered studies on walkers, side by side: where a teacher matters.

    python -m benchmarks.studies_figure results/studies --out walkers.png
    python -m benchmarks.studies_figure docs/studies/sac/curves.csv --out docs/studies/sac/curves.png

Mean percentage of the test tasks mastered by training steps, with its 95% bootstrap interval over the seeds
that all teachers have completed; of a single study, the mean return beside it. Missing studies and teachers
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from chiron.analysis.paper import STYLE
from chiron.analysis.statistics import mean_curve_interval
from chiron.runs import plots
from chiron.runs.teacher_styles import teacher_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.command_line import parser_of
from benchmarks.study_curves import Curves, read_curves
from benchmarks.study_tables import complete_seeds

TEACHERS = ("random", "alp_gmm", "headway")


class Problem(NamedTuple):
    """A problem that teachers are compared on.

    Attributes:
        title: Title of its panel.
        studies: Studies with its runs, as in `study=`.
        only: Setting and value that select the runs; None for all runs.
    """

    title: str
    studies: tuple[str, ...]
    only: tuple[str, str] | None = None


PROBLEMS = (
    Problem("quadruped", ("studies/bodies",), ("env.body", "quadruped")),
    Problem("four parameters", ("studies/four_dimensions",)),
    Problem("stumps up to 3", ("studies/stump_tracks", "studies/headway_stump_tracks")),
    Problem("stumps up to 6", ("studies/unlearnable",), ("env.stump_height", "[0.0, 6.0]")),
    Problem("stumps up to 9", ("studies/unlearnable",), ("env.stump_height", "[0.0, 9.0]")),
    Problem("short legs", ("studies/short_legs",)),
    Problem("20 million frames", ("studies/long",)),
    Problem("SAC", ("studies/sac",)),
)
"""PPO with up to four million frames, in the order of the percentage mastered; then more frames, and SAC."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("studies_figure", __doc__)
    parser.add_argument("studies", nargs="+", type=Path, help="folders of results, or files of study_curves")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument(
        "--teachers",
        nargs="+",
        metavar="TEACHER",
        help=f"default: those of {', '.join(TEACHERS)} that are there",
    )
    options = parser.parse_args(arguments)
    try:
        curves = read_curves(*options.studies, teachers=options.teachers or ())
    except ValueError as error:
        parser.error(str(error))
    there = [of for of in PROBLEMS if set(of.studies) <= set(curves.runs["study"])]
    if not there:
        parser.error(f"none of the studies is in {', '.join(map(str, options.studies))}")
    with mpl.rc_context(STYLE):
        draw(curves, there, options.teachers or TEACHERS).savefig(options.out)


def draw(curves: Curves, problems: Sequence[Problem], teachers: Sequence[str] = TEACHERS) -> Figure:
    """A panel per problem; for a single problem, one of the percentage mastered and one of mean returns."""
    is_single = len(problems) == 1
    shown = [(problem, curves.mastered) for problem in problems]
    if is_single:
        shown.append((problems[0], curves.returns))
    size = (8.4, 3.2) if is_single else (1.8 * len(problems), 2.2)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    panels = figure.subplots(1, len(shown))
    for axes, (problem, values) in zip(panels, shown, strict=True):
        _draw_curves(axes, _runs_of(problem, curves), values, teachers)
        if not is_single:
            axes.set_title(problem.title)
        if values is curves.mastered:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(plots.STEPS)
        axes.locator_params("x", nbins=5 if is_single else 2)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("mastered (%)")
    if is_single:
        panels[1].set_ylabel("mean return")
    figure.supxlabel("training steps", fontsize="medium")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=3, frameon=False)
    return figure


def _runs_of(problem: Problem, curves: Curves) -> pd.DataFrame:
    """Finished runs."""
    runs = curves.runs[curves.runs["problem"].isna() & curves.runs["study"].isin(problem.studies)]
    if problem.only is None:
        return runs
    setting, value = problem.only
    return runs[runs[setting] == value]


def _draw_curves(axes: Axes, runs: pd.DataFrame, values: pd.DataFrame, teachers: Sequence[str]) -> None:
    teachers = [name for name in teachers if name in set(runs["teacher"])]
    seeds = complete_seeds(runs, teachers)
    for name in teachers:
        counted = runs.index[(runs["teacher"] == name) & runs["seed"].isin(seeds)]
        curves = values.loc[counted].dropna(axis=1)
        low, high = mean_curve_interval(curves.to_numpy(), np.random.default_rng(0))
        style = teacher_style(name)
        steps = curves.columns
        axes.plot(steps, curves.mean(), color=style.color, linestyle=style.dashes, label=style.name)
        axes.fill_between(steps, low, high, color=style.color, alpha=0.18, linewidth=0)


if __name__ == "__main__":
    main()

"""The tables of a registered study of trained students, in Markdown: results and tests.

    python -m benchmarks.study_tables results/studies/unlearnable --by env.stump_height
    python -m benchmarks.study_tables docs/studies/stump_tracks/curves.csv

Four measures: percentage of the test tasks mastered and mean return on them, each as the area under its curve
and in the last evaluation; `--at` adds the percentage mastered after some steps. Only seeds that all teachers
have completed count; the others are listed. Intervals of differences are Welch's, p values are corrected by
Holm over the teachers that are tested against one of them, intervals of interquartile means are bootstrapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from chiron.analysis.significance import SIGNIFICANCE_LEVEL, holm, welch_p_value
from chiron.analysis.statistics import (
    CONFIDENCE,
    interquartile_mean,
    interquartile_mean_interval,
    mean_and_sd,
    plus_minus,
    with_interval,
)
from chiron.evaluation.metrics import area_under_curve
from chiron.runs.teacher_styles import teacher_style
from numpy.typing import NDArray
from scipy import stats

from benchmarks.command_line import parser_of
from benchmarks.study_curves import Curves, read_curves

Scores = Mapping[str, NDArray[np.float64]]
"""By teacher: the measures of its seeds, shape (seeds, measures)."""

_SETTINGS = ("study", "env", "student", "total_steps")
"""Columns that describe a run, besides those of the settings that differ (`env.body`)."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("study_tables", __doc__)
    parser.add_argument("studies", nargs="+", type=Path, help="folders of results, or files of study_curves")
    parser.add_argument("--teachers", nargs="+", metavar="TEACHER", help="default: all that are there")
    parser.add_argument(
        "--against", nargs="+", default=["alp_gmm", "random"], metavar="TEACHER", help="of the tests"
    )
    parser.add_argument("--by", metavar="SETTING", help="a setting with a table for each of its values")
    parser.add_argument("--at", type=int, metavar="STEP", help="also the percentage mastered after this step")
    options = parser.parse_args(arguments)
    try:
        curves = read_curves(*options.studies, teachers=[*(options.teachers or ()), *options.against])
    except ValueError as error:
        parser.error(str(error))
    runs = curves.runs
    teachers = options.teachers or sorted(runs["teacher"].unique(), key=lambda name: name == "random")
    if options.by is not None and options.by not in runs:
        parser.error(f"--by {options.by}: there is no such setting")
    runs = runs[runs["teacher"].isin(teachers)]
    for value, group in [("", runs)] if options.by is None else runs.groupby(options.by):
        try:
            lines = report(curves._replace(runs=group), teachers, options.against, options.at)
        except ValueError as error:
            parser.error(str(error))
        print("\n".join(lines if options.by is None else [f"{options.by} = {value}", *lines]))


def report(
    curves: Curves, teachers: Sequence[str], against: Sequence[str], at: int | None = None
) -> list[str]:
    """Markdown lines on one env: seeds, results, tests.

    Raises:
        ValueError: If a teacher has several runs of one seed.
    """
    check_one_run_each(curves.runs)
    done = curves.runs[curves.runs["problem"].isna()]
    complete = complete_seeds(done, teachers)
    begun = sorted(set(curves.runs["seed"]) - set(complete))
    lines = [f"Seeds that all teachers have completed: {_ranges(complete) or 'none'}."]
    if begun:
        lines.append(f"Begun, and not counted: {_ranges(begun)}.")
    if not complete:
        return [*lines, ""]
    scores = {
        name: np.array([_measures(curves, run, at) for run in _in_order(done, name, complete)])
        for name in teachers
    }
    names = ["mastered %, area", "mean return, area", "mastered %, end", "mean return, end"]
    names += [] if at is None else [f"mastered %, {at:,} steps"]
    return [*lines, "", *results(scores, names), "", *differences(scores, names, against), ""]


def _in_order(done: pd.DataFrame, teacher: str, seeds: Sequence[int]) -> list[str]:
    """Names of a teacher's runs, in the order of `seeds`."""
    by_seed = done.reset_index(names="run").set_index(["teacher", "seed"])["run"]
    return [by_seed[teacher, seed] for seed in seeds]


def complete_seeds(done: pd.DataFrame, teachers: Sequence[str]) -> list[int]:
    """Seeds with a run of every teacher, in order.

    Args:
        done: Finished runs of a `Curves`.
        teachers: Names.
    """
    return sorted(set.intersection(*(set(done["seed"][done["teacher"] == name]) for name in teachers)))


def check_one_run_each(runs: pd.DataFrame) -> None:
    """Make sure that no teacher has several runs of one seed, which a table could not tell apart.

    Args:
        runs: Runs of one table, from a `Curves`.

    Raises:
        ValueError: If one has; the message names the settings that differ.
    """
    for (teacher, seed), same in runs.groupby(["teacher", "seed"], observed=True):
        if len(same) > 1:
            settings = [name for name in map(str, same) if "." in name or name in _SETTINGS]
            differing = [name for name in settings if same[name].nunique(dropna=False) > 1] or ["nothing"]
            raise ValueError(
                f"{len(same)} runs of {teacher} have seed {seed} and differ in {', '.join(differing)}: "
                "split them with --by, or give folders without the others"
            )


def results(scores: Scores, names: Sequence[str]) -> list[str]:
    """Mean ± standard deviation of every measure, and the interquartile mean of each with its interval."""
    lines = [f"| teacher | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for teacher, of in scores.items():
        cells = []
        for values in of.T:
            interval = interquartile_mean_interval([values], np.random.default_rng(0))
            middle = with_interval(float(interquartile_mean(values)), *interval, 1)
            cells.append(f"{plus_minus(*mean_and_sd(values), 1)}<br>{middle}")
        lines.append(f"| {teacher_style(teacher).name} | {' | '.join(cells)} |")
    return lines


def differences(scores: Scores, names: Sequence[str], against: Sequence[str]) -> list[str]:
    """Differences of means from some teachers', with Welch's 95% interval and Holm-corrected p value."""
    lines = [f"| difference | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for other in against:
        tested = [name for name in scores if name != other]
        cells: dict[str, list[str]] = {name: [] for name in tested}
        for measure in range(len(names)):
            base = scores[other][:, measure]
            p_values = holm([welch_p_value(scores[name][:, measure], base) for name in tested])
            for name, p in zip(tested, p_values, strict=True):
                cells[name].append(_difference(scores[name][:, measure], base, float(p)))
        for name in tested:
            label = f"{teacher_style(name).name} − {teacher_style(other).name}"
            lines.append(f"| {label} | {' | '.join(cells[name])} |")
    return lines


def _difference(values: NDArray[np.float64], base: NDArray[np.float64], p: float) -> str:
    difference = f"{values.mean() - base.mean():+.1f}"
    if np.isnan(p):
        return difference
    # By hand, because scipy warns if none of a teacher's students has mastered anything.
    a, b = (of.var(ddof=1) / len(of) for of in (values, base))
    freedom = (a + b) ** 2 / (a**2 / (len(values) - 1) + b**2 / (len(base) - 1))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(a + b)
    low, high = values.mean() - base.mean() + half * np.array([-1, 1])
    bold = "**" if p < SIGNIFICANCE_LEVEL else ""
    return f"{bold}{difference}{bold} [{low:.1f}, {high:.1f}]<br>p {'< 0.001' if p < 0.001 else f'= {p:.2g}'}"


def _measures(curves: Curves, run: str, at: int | None) -> list[float]:
    (steps, mastered), (_, returns) = (
        (curve.index.to_numpy(), curve.to_numpy())
        for curve in (table.loc[run].dropna() for table in (curves.mastered, curves.returns))
    )
    then = [] if at is None else [float(mastered[np.abs(steps - at).argmin()])]
    areas = [area_under_curve(steps, curve) for curve in (mastered, returns)]
    return [*areas, float(mastered[-1]), float(returns[-1]), *then]


def _ranges(seeds: Sequence[int]) -> str:
    """`100-104, 107`, of seeds in order."""
    groups = groupby(enumerate(seeds), key=lambda pair: pair[1] - pair[0])
    found = [[seed for _, seed in group] for _, group in groups]
    return ", ".join(f"{of[0]}-{of[-1]}" if len(of) > 1 else str(of[0]) for of in found)


if __name__ == "__main__":
    main()

"""Ratio of what students master with one teacher and with another: a table in Markdown.

    python -m benchmarks.teacher_ratio results/teacher_benchmark --teacher headway --against alp_gmm

Per problem (a student, unless `--by` names other settings), the ratio is (a + 1) / (b + 1), where a and b
are means over seeds of the percentage mastered at the end, or of the area under its curve; 1 is added because
some means are 0. Only seeds that all teachers of the table have finished count. The interval resamples
problems, and seeds within them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from chiron.analysis.significance import holm, welch_p_value
from chiron.runs.teacher_styles import teacher_style
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.command_line import parser_of
from benchmarks.study_curves import read_curves
from benchmarks.study_tables import check_one_run_each

_RESAMPLES = 10_000

Scores = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Percentage mastered, by problem and teacher, shape (seeds,)."""

MEASURES = {"mastered_percent": "mastered % in the end", "area": "mastered %, area under the curve"}
"""Columns of the runs of a `Curves`, and their labels."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("teacher_ratio", __doc__)
    parser.add_argument("studies", nargs="+", type=Path, help="folders of results, or files of study_curves")
    parser.add_argument("--teacher", required=True, help="the teacher whose results are divided")
    parser.add_argument("--against", required=True, help="the teacher they are divided by")
    parser.add_argument(
        "--baseline", nargs="+", default=["random"], metavar="TEACHER", help="of the tests: who is below it?"
    )
    parser.add_argument(
        "--by",
        nargs="+",
        default=["student"],
        metavar="SETTING",
        help="what makes a problem, default: student",
    )
    parser.add_argument("--measure", choices=list(MEASURES), default="mastered_percent")
    parser.add_argument("--also", nargs="*", default=[], metavar="TEACHER", help="further columns")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the table")
    options = parser.parse_args(arguments)
    teachers = list(dict.fromkeys([options.teacher, options.against, *options.baseline, *options.also]))
    try:
        scores = scores_of(read_curves(*options.studies).runs, teachers, options.by, options.measure)
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(table(scores, teachers, options.measure)))
    if options.figure is not None:
        draw(scores, teachers, options.measure).savefig(options.figure)
    ratio, low, high = geometric_mean_ratio(scores, options.teacher, options.against)
    print(f"\nGeometric mean of {len(scores)} ratios: {ratio:.2f} [{low:.2f}, {high:.2f}]")
    for baseline in options.baseline:
        for problem, p in below(scores, options.teacher, baseline).items():
            tested = "not tested" if np.isnan(p) else f"p = {p:.2g} after Holm's correction"
            print(f"Below {baseline}: {problem}, {tested}")


def scores_of(
    runs: pd.DataFrame,
    teachers: Sequence[str],
    by: Sequence[str] = ("student",),
    measure: str = "mastered_percent",
) -> Scores:
    """Percentages mastered, for the seeds that all teachers have finished.

    Args:
        runs: Runs of a `Curves`.
        teachers: Names.
        by: Columns of `runs` that define a problem; a column that is empty in a run is not part
            of its problem's name.
        measure: One of `MEASURES`.

    Raises:
        ValueError: If a column is missing, no problem has runs of all, or a teacher has a seed twice.
    """
    if missing := sorted(set(by) - set(runs)):
        raise ValueError(f"--by {missing[0]}: there is no such setting")
    runs = runs[runs["problem"].isna() & runs["teacher"].isin(teachers)]
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    settings = [runs[column].astype(object).where(runs[column].notna(), "") for column in by]
    for values, rows in runs.groupby(settings, observed=True, sort=False):
        check_one_run_each(rows)
        by_seed = rows.pivot_table(index="seed", columns="teacher", values=measure, observed=True)
        if set(teachers) <= set(by_seed.columns):
            complete = by_seed[list(teachers)].dropna()
            if len(complete):
                found[_name(by, values)] = {name: complete[name].to_numpy(np.float64) for name in teachers}
    if not found:
        raise ValueError(f"no {' and '.join(by)} was met by all of {', '.join(teachers)} with the same seed")
    return found


def _name(columns: Sequence[str], values: Sequence[object]) -> str:
    """`stump_tracks, body=short`: names as they are, settings with their keys."""
    return ", ".join(
        f"{column.removeprefix('env.')}={value}" if "." in column else str(value)
        for column, value in zip(columns, values, strict=True)
        if value != ""
    )


def geometric_mean_ratio(scores: Scores, teacher: str, other: str) -> tuple[float, float, float]:
    """Geometric mean of (a + 1) / (b + 1), with its 95% bootstrap interval over problems and seeds."""
    rng = np.random.default_rng(0)
    logs = []
    for of in scores.values():
        a, b = (
            np.concatenate(
                [[of[name].mean()], rng.choice(of[name], (_RESAMPLES, len(of[name]))).mean(axis=1)]
            )
            for name in (teacher, other)
        )
        logs.append(np.log((a + 1) / (b + 1)))
    values = np.stack(logs)
    chosen = rng.integers(len(values), size=(len(values), _RESAMPLES))
    resampled = np.take_along_axis(values[:, 1:], chosen, axis=0).mean(axis=0)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(np.exp(values[:, 0].mean())), float(np.exp(low)), float(np.exp(high))


def below(scores: Scores, teacher: str, other: str) -> dict[str, float]:
    """Problems on which a teacher's mean is lower than the other's, with Holm-corrected Welch p values."""
    names = list(scores)
    p_values = holm([welch_p_value(scores[name][teacher], scores[name][other]) for name in names])
    return {
        name: float(p)
        for name, p in zip(names, p_values, strict=True)
        if scores[name][teacher].mean() < scores[name][other].mean()
    }


def table(scores: Scores, teachers: list[str], measure: str = "mastered_percent") -> list[str]:
    """Markdown lines: problems by teachers, with the ratio of the first two."""
    called = MEASURES[measure]
    lines = [
        f"{called[0].upper()}{called[1:]}, mean ± standard deviation over seeds:",
        "",
        f"| | seeds | {' | '.join(f'`{name}`' for name in teachers)} | ratio |",
        "|---" * (3 + len(teachers)) + "|",
    ]
    for problem, of in scores.items():
        cells = [
            f"{of[name].mean():.1f} ± {of[name].std(ddof=min(1, len(of[name]) - 1)):.1f}" for name in teachers
        ]
        ratio = (of[teachers[0]].mean() + 1) / (of[teachers[1]].mean() + 1)
        seeds = len(of[teachers[0]])
        lines.append(f"| `{problem.split('/')[-1]}` | {seeds} | {' | '.join(cells)} | {ratio:.2f} |")
    return lines


def draw(scores: Scores, teachers: list[str], measure: str = "mastered_percent") -> Figure:
    """Plot means and standard deviations of all teachers, sorted by the mean of the first."""
    figure = Figure(figsize=(6.6, 0.9 + 0.2 * len(scores)), dpi=100, layout="constrained")
    axes = figure.subplots()
    rows = sorted(scores, key=lambda student: float(scores[student][teachers[0]].mean()))
    for name in reversed(teachers):
        style = teacher_style(name)
        means = [float(scores[student][name].mean()) for student in rows]
        spreads = [float(scores[student][name].std(ddof=1)) for student in rows]
        look: dict[str, Any] = {"color": style.color, "markersize": 7 if name == teachers[0] else 5}
        axes.errorbar(means, range(len(rows)), xerr=spreads, fmt="o", label=style.name, elinewidth=1, **look)
    axes.set_yticks(range(len(rows)), [student.split("/")[-1].replace("_", " ") for student in rows])
    axes.set(xlabel=MEASURES[measure], xlim=(-1, None if measure == "area" else 101))
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", frameon=False)
    return figure


if __name__ == "__main__":
    main()

"""How many times as much students master with one teacher as with another: a table in Markdown.

    python -m benchmarks.teacher_ratio results/teacher_benchmark --teacher headway --against alp_gmm

Studies of simulated students (experiment=teacher_benchmark). Per student, the ratio is (a + 1) / (b + 1) of
the mean percentages mastered in the end; the one is there because some means are 0. Only seeds that all
teachers of the table have finished count. The interval resamples students, and seeds within them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from chiron import load_study
from chiron.analysis.significance import holm, welch_p_value
from chiron.runs.teacher_styles import teacher_style
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.command_line import parser_of

_RESAMPLES = 10_000

Scores = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Percentage mastered, by student and teacher, of shape (seeds,)."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("teacher_ratio", __doc__)
    parser.add_argument("studies", nargs="+", type=Path, help="folders of results")
    parser.add_argument("--teacher", required=True, help="the teacher whose results are divided")
    parser.add_argument("--against", required=True, help="the teacher they are divided by")
    parser.add_argument("--baseline", default="random", help="the teacher of the tests: who is below it?")
    parser.add_argument("--also", nargs="*", default=[], metavar="TEACHER", help="further columns")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the table")
    options = parser.parse_args(arguments)
    teachers = list(dict.fromkeys([options.teacher, options.against, options.baseline, *options.also]))
    try:
        scores = scores_of(options.studies, teachers)
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(table(scores, teachers)))
    if options.figure is not None:
        draw(scores, teachers).savefig(options.figure)
    ratio, low, high = geometric_mean_ratio(scores, options.teacher, options.against)
    print(f"\nGeometric mean of {len(scores)} ratios: {ratio:.2f} [{low:.2f}, {high:.2f}]")
    for student, p in below(scores, options.teacher, options.baseline).items():
        print(f"Below {options.baseline}: {student}, p = {p:.2g} after Holm's correction")


def scores_of(studies: list[Path], teachers: list[str]) -> Scores:
    """Percentages mastered in the end, of the seeds that all teachers have finished.

    Raises:
        ValueError: If there is no run, or no student was taught by all of them.
    """
    frames = [load_study(study).runs for study in studies]
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for frame in frames:
        finished = frame[frame["problem"].isna() & frame["teacher"].isin(teachers)]
        for student, rows in finished.groupby("student", observed=True):
            by_seed = rows.pivot_table(
                index="seed", columns="teacher", values="mastered_percent", observed=True
            )
            if set(teachers) <= set(by_seed.columns):
                complete = by_seed[teachers].dropna()
                if len(complete):
                    found[str(student)] = {name: complete[name].to_numpy(np.float64) for name in teachers}
    if not found:
        raise ValueError(
            f"no student in {', '.join(map(str, studies))} was taught by all of {', '.join(teachers)}"
        )
    return found


def geometric_mean_ratio(scores: Scores, teacher: str, other: str) -> tuple[float, float, float]:
    """Of (a + 1) / (b + 1) over students, with its 95% bootstrap interval, also over seeds."""
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
    """Students on which a teacher's mean is lower than the other's, with Welch's p, corrected."""
    names = list(scores)
    p_values = holm([welch_p_value(scores[name][teacher], scores[name][other]) for name in names])
    return {
        name: float(p)
        for name, p in zip(names, p_values, strict=True)
        if scores[name][teacher].mean() < scores[name][other].mean()
    }


def table(scores: Scores, teachers: list[str]) -> list[str]:
    """Lines of Markdown: students by teachers, with the ratio of the first two."""
    seeds = {len(of[teachers[0]]) for of in scores.values()}
    lines = [
        f"Mastered % in the end, mean ± standard deviation over {'/'.join(map(str, sorted(seeds)))} seeds:",
        "",
        f"| student | {' | '.join(f'`{name}`' for name in teachers)} | ratio |",
        "|---" * (2 + len(teachers)) + "|",
    ]
    for student, of in scores.items():
        cells = [
            f"{of[name].mean():.1f} ± {of[name].std(ddof=min(1, len(of[name]) - 1)):.1f}" for name in teachers
        ]
        ratio = (of[teachers[0]].mean() + 1) / (of[teachers[1]].mean() + 1)
        lines.append(f"| `{student.split('/')[-1]}` | {' | '.join(cells)} | {ratio:.2f} |")
    return lines


def draw(scores: Scores, teachers: list[str]) -> Figure:
    """Students by the mean of the first teacher, with the means and standard deviations of all."""
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
    axes.set(xlabel="mastered (%)", xlim=(-1, 101))
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", frameon=False)
    return figure


if __name__ == "__main__":
    main()

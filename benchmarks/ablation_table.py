"""What Headway masters without each of its parts (docs/studies/headway).

    python -m benchmarks.ablation_table results/headway_ablation results/teacher_benchmark

Prints for each part the mean over students, the geometric mean over students of (x + 1) / (Headway + 1), on
the seeds that both have, and the students that changed most.
"""

from __future__ import annotations

from pathlib import Path

from chiron import load_study

from benchmarks.command_line import parser_of
from benchmarks.teacher_ratio import Scores, geometric_mean_ratio

_PARTS = ["teacher._target_", "teacher.least_change", "teacher.visits"]
_MOST_CHANGED = 3
"""How many students are named at each end, with the lowest and the highest ratios."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("ablation_table", __doc__)
    parser.add_argument("ablation", type=Path, help="runs of Headway without its parts")
    parser.add_argument("benchmark", type=Path, help="runs of Headway itself")
    options = parser.parse_args(arguments)
    try:
        without, benchmark = (load_study(folder).runs for folder in (options.ablation, options.benchmark))
    except ValueError as error:
        parser.error(str(error))
    whole = benchmark[benchmark["teacher"] == "headway"]
    for part, runs in without.groupby(_PARTS, observed=True):
        both = runs.merge(whole, on=["student", "seed"], suffixes=("", "_whole"))
        scores = {
            str(student): {
                "without": rows["mastered_percent"].to_numpy(float),
                "whole": rows["mastered_percent_whole"].to_numpy(float),
            }
            for student, rows in both.groupby("student", observed=True)
        }
        print(*part, len(both), "runs", summary(scores))


def summary(scores: Scores) -> str:
    """A line with the means and the ratio of what is mastered `without` a part and by the `whole`."""
    ratio, low, high = geometric_mean_ratio(scores, "without", "whole")
    means = {
        student: (float(of["without"].mean()), float(of["whole"].mean())) for student, of in scores.items()
    }
    own, whole = (sum(column) / len(means) for column in zip(*means.values(), strict=True))
    by_ratio = sorted(means, key=lambda student: (means[student][0] + 1) / (means[student][1] + 1))
    named = dict.fromkeys([*by_ratio[:_MOST_CHANGED], *by_ratio[-_MOST_CHANGED:]])
    changed = ", ".join(f"{student}: {means[student][0]:.0f} of {means[student][1]:.0f}" for student in named)
    return f"mean {own:.1f} of {whole:.1f}, ratio {ratio:.2f} [{low:.2f}, {high:.2f}]; {changed}"


if __name__ == "__main__":
    main()

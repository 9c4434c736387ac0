"""Headway without one of its parts (docs/studies/headway): classes for `teacher._target_`, and the table.

    python -m benchmarks.headway_ablation results/headway_ablation results/teacher_benchmark

Prints for each part what is mastered without it, on the mean over students, and the geometric mean over
students of (x + 1) / (Headway + 1), with the seeds that both have.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from chiron import load_study
from chiron.teachers.headway import Headway
from numpy.typing import NDArray

_PARTS = ["teacher._target_", "teacher.least_change", "teacher.visits"]


class FixedBandwidths(Headway):
    """Headway whose bandwidths stay at their first value, 0.16."""

    def _choose_bandwidths(self, *arguments: Any) -> None:
        super()._choose_bandwidths(*arguments)
        self.bandwidths = np.full(self.space.dim, 0.16)


class GainOnly(Headway):
    """Headway that proposes by expected gain alone."""

    def _weighed(self, *arguments: Any) -> NDArray[np.float64]:
        least_change, self.least_change = self.least_change, np.inf
        weights = super()._weighed(*arguments)
        self.least_change = least_change
        return weights


class UniformCandidates(Headway):
    """Headway whose candidates are all uniform."""

    def _candidates(self) -> NDArray[np.float64]:
        return self.rng.random((self.candidates, self.space.dim))


def main() -> None:
    """Run the command line."""
    if len(sys.argv) != 3:
        raise SystemExit("python -m benchmarks.headway_ablation ABLATION BENCHMARK: two folders of results")
    without, benchmark = (load_study(Path(folder)).runs for folder in sys.argv[1:])
    whole = benchmark[benchmark["teacher"] == "headway"]
    for part, runs in without.groupby(_PARTS, observed=True):
        both = runs.merge(whole, on=["student", "seed"], suffixes=("", "_whole"))
        means = both.groupby("student", observed=True)[["mastered_percent", "mastered_percent_whole"]].mean()
        print(*part, len(both), "runs", *_summary(means))


def _summary(means: pd.DataFrame) -> list[str]:
    """Of the mean percentages of each student: their mean, the ratio, and the students that changed most."""
    own, whole = means["mastered_percent"], means["mastered_percent_whole"]
    changes = pd.Series(np.log((own + 1) / (whole + 1)), own.index).sort_values()
    extremes = [f"{name}: {own[name]:.0f} of {whole[name]:.0f}" for name in changes.index[[0, 1, 2, -2, -1]]]
    ratio = np.exp(changes.mean())
    return [f"mean {own.mean():.1f} of {whole.mean():.1f}, ratio {ratio:.2f};", ", ".join(extremes)]


if __name__ == "__main__":
    main()

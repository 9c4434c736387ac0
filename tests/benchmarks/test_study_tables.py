"""Tables of registered studies."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

from benchmarks import study_tables
from benchmarks.study_curves import Curves

SHARES = {"alp_gmm": [20.0, 40.0, 50.0], "random": [10.0, 10.0, 40.0]}


@pytest.fixture
def curves() -> Curves:
    """Two teachers, three seeds and one unfinished seed; evaluated before and after training."""
    shares = [[*of, 90.0] for of in SHARES.values()]
    runs = pd.DataFrame(
        [(teacher, seed) for teacher in SHARES for seed in range(4)], columns=["teacher", "seed"]
    )
    runs["problem"] = [None] * 7 + ["interrupted"]
    mastered = pd.DataFrame({0: 0.0, 100: [*shares[0], *shares[1]]})
    return Curves(runs, mastered, 3 * mastered)


def test_measures_differences_and_seeds_that_are_not_complete(curves: Curves) -> None:
    lines = study_tables.report(curves, ["alp_gmm", "random"], ["random"], at=10)
    assert lines[:2] == ["Seeds that all teachers have completed: 0-2.", "Begun, and not counted: 3."]
    [row] = [line for line in lines if line.startswith("| ALP-GMM | ")]
    # The curve is a straight line from 0, so the area under it is half of its final value.
    assert [cell.split("<br>")[0].strip() for cell in row.split("|")[2:-1]] == [
        "18.3 ± 7.6",
        "55.0 ± 22.9",
        "36.7 ± 15.3",
        "110.0 ± 45.8",
        "0.0 ± 0.0",
    ]
    [row] = [line for line in lines if line.startswith("| ALP-GMM − Random | ")]
    test = stats.ttest_ind([20, 40, 50], [10, 10, 40], equal_var=False)
    low, high = test.confidence_interval()
    assert row.split(" | ")[3] == f"+16.7 [{low:.1f}, {high:.1f}]<br>p = {test.pvalue:.2g}"
    assert row.split(" | ")[5] == "+0.0 |"


def test_no_seed_that_all_have_completed(curves: Curves) -> None:
    curves.runs["problem"] = "interrupted"
    lines = study_tables.report(curves, ["alp_gmm", "random"], ["random"])
    assert lines == ["Seeds that all teachers have completed: none.", "Begun, and not counted: 0-3.", ""]


def test_refuses_several_runs_of_a_teacher_and_a_seed(curves: Curves) -> None:
    runs = curves.runs
    twice = pd.concat([runs.assign(**{"env.body": "short"}), runs.assign(**{"env.body": "quadruped"})])
    told = "2 runs of alp_gmm have seed 0 and differ in env.body: split them with --by"
    with pytest.raises(ValueError, match=told):
        study_tables.report(curves._replace(runs=twice), ["alp_gmm", "random"], ["random"])

"""Tables of registered studies."""

from __future__ import annotations

import pandas as pd
import pytest
from chiron.benchmarks import study_tables
from scipy import stats

SHARES = {"alp_gmm": [0.2, 0.4, 0.5], "random": [0.1, 0.1, 0.4]}


@pytest.fixture
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two teachers, three seeds and one that is not finished; ten test tasks before and after training."""
    runs, evaluations = [], []
    for teacher, shares in SHARES.items():
        for seed, share in enumerate([*shares, 0.9]):
            run = f"{teacher}/seed{seed}"
            problem = "interrupted" if seed == 3 and teacher == "random" else None
            runs.append({"teacher": teacher, "seed": seed, "run": run, "problem": problem})
            for step, now in ((0, 0.0), (100, share)):
                for task in range(10):
                    mastered = task < round(10 * now)
                    evaluations.append(
                        {"run": run, "step": step, "mastered": mastered, "return": 300.0 * mastered}
                    )
    return pd.DataFrame(runs), pd.DataFrame(evaluations)


def test_measures_differences_and_seeds_that_are_not_complete(
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    lines = study_tables.report(*frames, ["alp_gmm", "random"], ["random"], at=10)
    assert lines[:2] == ["Seeds that all teachers have completed: 0-2.", "Begun, and not counted: 3."]
    [row] = [line for line in lines if line.startswith("| ALP-GMM | ")]
    # The curve rises in a straight line, so the area under it is half of its end.
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


def test_no_seed_that_all_have_completed(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    runs, evaluations = frames
    runs["problem"] = "interrupted"
    lines = study_tables.report(runs, evaluations, ["alp_gmm", "random"], ["random"])
    assert lines == ["Seeds that all teachers have completed: none.", "Begun, and not counted: 0-3.", ""]


def test_refuses_several_runs_of_a_teacher_and_a_seed(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    runs, evaluations = frames
    twice = pd.concat([runs.assign(**{"env.body": "short"}), runs.assign(**{"env.body": "quadruped"})])
    told = "2 runs of alp_gmm have seed 0 and differ in env.body: split them with --by"
    with pytest.raises(ValueError, match=told):
        study_tables.report(twice, evaluations, ["alp_gmm", "random"], ["random"])

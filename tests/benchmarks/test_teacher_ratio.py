"""How many times as much one teacher masters as another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.teacher_ratio import geometric_mean_ratio, scores_of, table

COLUMNS = ["env", "env.body", "teacher", "seed", "mastered_percent", "area", "problem"]
RUNS = pd.DataFrame(
    [
        ("tracks", "short", "ours", 0, 31.0, 15.0, None),
        ("tracks", "short", "theirs", 0, 3.0, 3.0, None),
        ("tracks", "short", "ours", 1, 99.0, 99.0, "interrupted"),
        ("tracks", "short", "theirs", 1, 5.0, 5.0, None),
        ("tracks", "quadruped", "ours", 0, 0.0, 0.0, None),
        ("tracks", None, "ours", 0, 0.0, 0.0, None),
        ("tracks", None, "theirs", 0, 0.0, 0.0, None),
    ],
    columns=COLUMNS,
)
TEACHERS = ["ours", "theirs"]


def test_problems_and_seeds_that_all_teachers_have_finished() -> None:
    scores = scores_of(RUNS, TEACHERS, ["env", "env.body"], "area")
    assert list(scores) == ["tracks, body=short", "tracks"]
    assert [list(of["ours"]) for of in scores.values()] == [[15.0], [0.0]]
    assert (
        table(scores, TEACHERS, "area")[4] == "| `tracks, body=short` | 1 | 15.0 ± 0.0 | 3.0 ± 0.0 | 4.00 |"
    )
    # Ratios of 4 and 1; one seed each leaves only the problems to resample.
    assert np.allclose(geometric_mean_ratio(scores, *TEACHERS), (2, 1, 4))


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (["env.height"], "--by env.height: there is no such setting"),
        (["env.body"], "no env.body was met by all of ours, theirs with the same seed"),
    ],
)
def test_refuses_what_no_run_has(by: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scores_of(RUNS.assign(problem="interrupted"), TEACHERS, by)

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from chiron.analysis.study import StudyRun, read_study

from tests.analysis.studies import write_run


def only(folder: Path) -> StudyRun:
    (run,), notes = read_study(folder)
    assert notes == []
    return run


def test_a_run_is_read_whole(tmp_path: Path) -> None:
    write_run(tmp_path, "alp_gmm", 3, [0, 20, 50])
    run = only(tmp_path)
    assert (run.problem, run.seed, run.steps, run.total_steps) == (None, 3, 400, 400)
    assert run.names == {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
    assert run.config["evaluation.n_tasks"] == 10
    assert run.config["env.stump_height"] == "[0.0, 3.0]"
    assert run.mastery.to_dict() == {0: 0, 200: 20, 400: 50}
    assert run.score == 50
    assert run.last is not None
    assert run.last["task_index"].tolist() == list(range(10))
    assert run.last["mastered"].sum() == 5


def test_a_simulated_run_has_no_tasks(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0, [0, 10], simulated=True)
    run = only(tmp_path)
    assert run.is_simulated
    assert run.last is None
    assert run.mastery.to_dict() == {0: 0, 400: 10}


def test_overlapping_folders_give_each_run_once(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0)
    write_run(tmp_path, "riac", 1)
    runs, notes = read_study(tmp_path / "riac", tmp_path, tmp_path / "riac" / "seed1")
    assert [run.seed for run in runs] == [0, 1]
    assert notes == []


@pytest.mark.parametrize("status", ["failed", "running", "interrupted"])
def test_what_did_not_finish_is_kept_and_says_so(tmp_path: Path, status: str) -> None:
    run = write_run(tmp_path, "riac", 0, status=status)
    run.log.write_text("Traceback")
    problem = only(tmp_path).problem
    assert problem is not None
    assert problem.startswith(f"{status} after 200 of 400 steps")
    assert "run.log" in problem


def damage_header(path: Path) -> None:
    path.write_text("step,task_index,stump_height,obstacle_spacing,return,length,mastered\n")


def damage_budget(path: Path) -> None:
    rows = pd.read_csv(path)
    rows[rows["step"] < 400].to_csv(path, index=False)


def damage_returns(path: Path) -> None:
    rows = pd.read_csv(path)
    rows.loc[[3, 8], "return"] = float("nan")
    rows.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (Path.unlink, "it has no finished evaluation"),
        (lambda path: path.write_text(""), "its evaluations.csv cannot be used"),
        (damage_header, "it has no finished evaluation"),
        (damage_budget, "its last evaluation came after 300 of 400 steps"),
        (damage_returns, "2 of the 50 return values in its evaluations are not finite"),
        (lambda path: path.write_text("step,score\n1,2\n"), "its evaluations.csv cannot be used"),
    ],
)
def test_results_that_cannot_be_counted_are_named(tmp_path: Path, damage: object, problem: str) -> None:
    run = write_run(tmp_path, "riac", 0)
    assert callable(damage)
    damage(run.evaluations)
    found = only(tmp_path)
    assert found.problem is not None
    assert found.problem.startswith(problem)
    assert found.mastery.empty


def test_a_simulated_student_that_went_astray_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0, [0, float("nan"), 3], simulated=True)
    assert only(tmp_path).problem == "1 of the 3 mastered_percent values in its evaluations are not finite"


def test_folders_that_are_no_runs_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0)
    for name in ("empty", "half", "odd", "poor"):
        (tmp_path / name).mkdir()
    (tmp_path / "half" / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "odd" / "summary.json").write_text("{")
    for file in ("config.yaml", "summary.json"):
        (tmp_path / "poor" / file).write_text("{}")
    runs, notes = read_study(tmp_path, tmp_path / "empty")
    assert len(runs) == 1
    assert [note.replace(str(tmp_path), "") for note in notes] == [
        "/half is not a run: it has no summary.json",
        "/odd is not a run: its files cannot be used (/odd/summary.json cannot be read: Expecting property "
        "name enclosed in double quotes: line 1 column 2 (char 1))",
        "/poor is not a run: its summary.json lacks 'env'",
        "/empty is not a run and contains none",
    ]

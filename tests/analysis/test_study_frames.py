from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chiron import load_study

from tests.analysis.studies import write_run

KEYS = ["study", "env", "teacher", "student", "seed", "run"]


def write_episodes(folder: Path, teacher: str, seed: int) -> None:
    episodes = folder / teacher / f"seed{seed}" / "episodes"
    episodes.mkdir()
    rows = {"episode": [0, 1], "step": [10, 20], "stump_height": [0.5, 1.0], "return": [1.0, 2.0]}
    rest = {
        "length": [10, 10],
        "success": [True, False],
        "seed": [7, 8],
        "source": ["random", "a"],
        "slot": 0,
    }
    pd.DataFrame(rows | rest).astype({"success": "boolean"}).to_parquet(episodes / "part-00000.parquet")


def test_frames_are_tidy_and_typed(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path, "alp_gmm", seed, [0, 20, 50], student__learning_rate=0.01)
        write_run(tmp_path, "random", seed, [0, 10, 20])
        write_episodes(tmp_path, "random", seed)
    study = load_study(tmp_path)
    for frame in (study.runs, study.evaluations, study.episodes):
        assert list(frame)[:6] == KEYS
        assert all(frame[name].dtype == "category" for name in KEYS if name != "seed")
    runs = study.runs.set_index(["teacher", "seed"])
    assert runs.loc[("alp_gmm", 1), "mastered_percent"] == 50
    assert runs.loc[("random", 0), "student.learning_rate"] == 0.001
    assert "student._target_" not in runs, "it is the same in all runs"
    assert runs["problem"].isna().all()
    assert len(study.evaluations) == 4 * 3 * 10
    assert study.evaluations["mastered"].dtype == "boolean"
    mastered = study.evaluations.groupby(["teacher", "step"], observed=True)["mastered"].mean()
    assert mastered[("alp_gmm", 400)] == 0.5
    assert study.episodes["episode_seed"].tolist() == [7, 8, 7, 8]
    assert study.episodes["seed"].tolist() == [0, 0, 1, 1]
    assert study.notes == []


def test_two_versions_have_names(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "random", 0)
    write_run(tmp_path / "b", "random", 0)
    study = load_study(new=tmp_path / "a", old=tmp_path / "b")
    assert study.runs["study"].tolist() == ["new", "old"]


def test_damaged_and_unfinished_runs_are_named_and_the_rest_is_there(tmp_path: Path) -> None:
    write_run(tmp_path, "random", 0)
    write_run(tmp_path, "random", 1, status="running")
    write_run(tmp_path, "riac", 0).evaluations.write_text("step,score\n1,2\n")
    write_episodes(tmp_path, "random", 0)
    write_episodes(tmp_path, "riac", 0)
    (tmp_path / "riac" / "seed0" / "episodes" / "part-00000.parquet").write_text("no table")
    study = load_study(tmp_path)
    assert study.runs["problem"].isna().tolist() == [True, False, False]
    assert np.isnan(study.runs["mastered_percent"][1])
    assert set(study.evaluations["run"].astype(str).str[-12:]) == {"random/seed0", "random/seed1"}
    assert len(study.episodes) == 2
    (note,) = study.notes
    assert "part-00000.parquet" in note


def test_simulated_students_stand_beside_others(tmp_path: Path) -> None:
    write_run(tmp_path, "random", 0)
    write_run(tmp_path, "riac", 0, simulated=True)
    evaluations = load_study(tmp_path).evaluations
    simulated = evaluations[evaluations["student"] == "toy_grid"]
    assert simulated["mastered"].isna().all()
    assert simulated["mastered_percent"].tolist() == [0, 10, 20, 30, 40]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a run and contains none"):
        load_study(tmp_path)

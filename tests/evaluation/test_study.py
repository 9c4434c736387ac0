from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from evaluation.study import draw_study, read_study, summarize
from scripts import picture
from scripts.refusal import BAD_INPUT


def write_run(folder: Path, teacher: str, seed: int, percents: list[float], status: str = "finished") -> None:
    run = folder / teacher / f"seed{seed}"
    run.mkdir(parents=True)
    summary = {"status": status, "env": "simulated", "teacher": teacher, "student": "toy_grid", "seed": seed}
    (run / "summary.json").write_text(json.dumps(summary))
    rows = pd.DataFrame({"step": [0, 100, 200, 300, 400], "mastered_percent": percents})
    rows.to_csv(run / "evaluations.csv", index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, final in enumerate([10.0, 20.0, 60.0]):
        write_run(tmp_path, "alp_gmm", seed, [0, 1, 2, 3, final])
        write_run(tmp_path, "random", seed, [0, 1, 1, 1, 1])
    write_run(tmp_path, "riac", 0, [0, 9, 9, 9, 9], status="failed")
    return tmp_path


def test_unfinished_runs_are_left_out(folder: Path) -> None:
    study = read_study(folder)
    assert len(study) == 2 * 3 * 5
    assert set(study["teacher"]) == {"alp_gmm", "random"}


def test_spread_and_confidence_are_students(folder: Path) -> None:
    summary = summarize(read_study(folder))
    (row,) = summary[(summary["teacher"] == "alp_gmm") & (summary["step"] == 400)].to_dict("records")
    assert row["seeds"] == 3
    assert row["mean"] == 30
    low, high = stats.t.interval(0.95, 2, loc=30, scale=stats.sem([10, 20, 60]))
    assert row["mean"] - row["margin"] == pytest.approx(low)
    assert row["mean"] + row["margin"] == pytest.approx(high)
    assert row["sd"] == pytest.approx(pd.Series([10, 20, 60]).std())


def test_figure_is_a_picture(folder: Path) -> None:
    draw_study(read_study(folder), folder / "curves.png")
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_the_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chiron-picture", str(folder)])
    picture.main()
    output = capsys.readouterr().out
    assert "30.0 ± 26.5" in output
    assert "1.0 ± 0.0" in output
    assert (folder / "learning_curves.png").exists()


@pytest.mark.parametrize("content", ["nothing", "no folder"])
def test_a_folder_without_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    folder = tmp_path / "missing" if content == "no folder" else tmp_path
    monkeypatch.setattr(sys, "argv", ["chiron-picture", str(folder)])
    with pytest.raises(SystemExit) as refusal:
        picture.main()
    assert refusal.value.code == BAD_INPUT
    assert str(folder) in capsys.readouterr().err

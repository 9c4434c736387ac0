from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from chiron.scripts.refusal import BAD_INPUT
from scipy import stats

from tests.analysis.studies import write_run
from tests.runs.events import Events

pytestmark = pytest.mark.medium

Command = Callable[..., int]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for seed, (better, worse) in enumerate([(40, 10), (60, 20), (70, 10)]):
        write_run(tmp_path / "study", "alp_gmm", seed, [0, better], simulated=True)
        write_run(tmp_path / "study", "random", seed, [0, worse], simulated=True)
    return tmp_path / "study"


def test_prints_the_table_and_writes_the_report(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("study") == 0
    output = capsys.readouterr().out
    assert "56.7 ± 15.3" in output
    p_value = stats.ttest_ind([40, 60, 70], [10, 20, 10], equal_var=False).pvalue
    assert f"{p_value:.3f}" in output
    assert "study/comparison/report.html" in output
    assert {path.name for path in (study / "comparison").iterdir()} == {
        "report.html", "table.csv", "curves.csv", "comparison.json", "learning_curves.png",
        "mastery_maps.png", "significance.png", "performance_profiles.png", "tensorboard",
    }  # fmt: skip


def test_tensorboard_can_show_means_beside_runs(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("study") == 0
    assert "tensorboard --logdir 'study'" in capsys.readouterr().out
    mean = Events(study / "comparison" / "tensorboard" / "alp_gmm").curve("evaluation/mastered_percent")
    assert mean[400] == pytest.approx(170 / 3)


def test_tensorboard_is_pointed_to_what_holds_all(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("study/alp_gmm", "study/random", "--out", "answer") == 0
    assert "tensorboard --logdir '.'" in capsys.readouterr().out


def test_a_second_comparison_does_not_count_the_first(chiron_compare: Command, study: Path) -> None:
    tables = []
    for _ in range(2):
        assert chiron_compare("study", "--baseline", "alp_gmm") == 0
        tables.append((study / "comparison" / "table.csv").read_text())
    assert tables[0] == tables[1]
    assert pd.read_csv(study / "comparison" / "table.csv")["baseline"].tolist()[1] == "alp_gmm"


def test_two_folders_answer_one_question(
    chiron_compare: Command, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("study/alp_gmm", "study/random", "--out", "answer") == 0
    assert "Comparison of alp_gmm and random" in (tmp_path / "answer" / "report.html").read_text()
    assert "+43.3" in capsys.readouterr().out


def test_what_is_not_as_it_should_be_is_printed(
    chiron_compare: Command, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(study, "riac", 0, status="failed", simulated=True)
    (tmp_path / "nothing").mkdir()
    assert chiron_compare("study", "nothing") == 0
    output = capsys.readouterr().out
    assert "- nothing is not a run and contains none" in output
    assert "- riac, seed 0, is not counted: failed after 200 of 400 steps" in output
    assert "0 of 1" in output
    page = (study / "comparison" / "report.html").read_text()
    assert "nothing is not a run and contains none" in page


def test_an_intended_difference_is_allowed(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(study, "riac", 0, simulated=True, total_steps=800)
    assert chiron_compare("study") == BAD_INPUT
    error = capsys.readouterr().err
    assert error == (
        "chiron-compare: the runs differ in their budget: total_steps is 400 or 800; compare folders that "
        "agree, or say --allow budget if that difference is intended\n"
    )
    assert not (study / "comparison").exists()
    assert chiron_compare("study", "--allow", "budget") == 0
    assert "riac total_steps=800" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing"], "missing is not a folder"),
        (["."], ". is not a run and contains none"),
    ],
)
def test_nothing_to_compare_is_refused(
    chiron_compare: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    assert chiron_compare(*arguments) == BAD_INPUT
    assert capsys.readouterr().err == f"chiron-compare: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_a_study_is_refused(
    chiron_picture: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_picture("study") == BAD_INPUT
    assert "chiron-compare compares the runs in a folder" in capsys.readouterr().err

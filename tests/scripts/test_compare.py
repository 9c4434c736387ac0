from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from chiron.scripts.refusal import BAD_INPUT
from scipy import stats

from tests.analysis.studies import write_run
from tests.runs.events import Events

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("blank_figures")]

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
        "report.html", "table.csv", "curves.csv", "bands.csv", "comparison.json", "learning_curves.png",
        "mastery_maps.png", "significance.png", "performance_profiles.png", "tensorboard",
    }  # fmt: skip


def test_tensorboard_can_show_means_beside_runs(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("study") == 0
    output = capsys.readouterr().out
    assert "tensorboard --logdir study\n" in output
    selected = parse_qs(urlsplit(next(word for word in output.split() if word.startswith("http"))).query)
    assert selected["smoothing"] == ["0"]
    color_of = re.compile(selected["runColorGroup"][0].removeprefix("regex:"))
    for run in ("alp_gmm/seed0", "comparison/tensorboard/alp_gmm"):
        found = color_of.search(run)
        assert found is not None
        assert found.groups() == ("alp_gmm",), "a run has the colour of its teacher's mean"
    mean = Events(study / "comparison" / "tensorboard" / "alp_gmm").curve("evaluation/mastered_percent")
    assert mean[400] == pytest.approx(170 / 3)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["study/alp_gmm", "study/random"], "alp_gmm:study/alp_gmm,random:study/random"),
        (["study"], "study:study"),
        (["new=study/alp_gmm", "old=study/random"], "new:study/alp_gmm,old:study/random"),
    ],
)
def test_tensorboard_shows_what_was_compared_and_nothing_else(
    chiron_compare: Command, study: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], shown: str
) -> None:
    assert chiron_compare(*arguments, "--out", "my answer") == 0
    assert (
        f"--logdir_spec '{shown},comparison/tensorboard:my answer/tensorboard'\n" in capsys.readouterr().out
    )


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


def test_an_error_is_one_line_whatever_was_typed(
    chiron_compare: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("results", "--nothing=a\nb") == BAD_INPUT
    assert capsys.readouterr().err.splitlines()[-1].endswith(r"unrecognized arguments: --nothing=a\nb")


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


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """Studies of two versions of the code with the same configurations."""
    for name, gain in (("a", 10), ("b", 0)):
        for seed, percent in enumerate((40, 60, 70)):
            for teacher, worth in (("alp_gmm", 20), ("riac", 0)):
                last = percent + gain + worth
                write_run(tmp_path / name, teacher, seed, [0, last - 30, last], study=f"study_{name}")
    return tmp_path


def test_studies_are_conditions(
    chiron_compare: Command, versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("a", "b", "--out", "merged") == 0
    merged = capsys.readouterr().out
    assert merged.count("runs repeat seeds of") == 2, "one sentence for each condition"
    for arguments in (["new=a", "old=b"], ["a", "b", "--by", "study"]):
        assert chiron_compare(*arguments, "--out", "out") == 0
        table = pd.read_csv(versions / "out" / "table.csv").set_index("condition")
        new, old = ("new", "old") if "=" in arguments[0] else ("study_a", "study_b")
        assert set(table.index) == {f"{s}/{t}" for s in (new, old) for t in ("alp_gmm", "riac")}
        assert table.loc[f"{new}/riac", "baseline"] == f"{old}/riac"
        assert table.loc[f"{new}/riac", "difference"] == pytest.approx(10)
    assert chiron_compare("new=a", "old=b", "--out", "out", "--baseline", "new") == 0
    table = pd.read_csv(versions / "out" / "table.csv").set_index("condition")
    assert table.loc["old/alp_gmm", "baseline"] == "new/alp_gmm"


def test_conditions_and_a_step_are_chosen(
    chiron_compare: Command, versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_compare("a", "--without", "riac") == 0
    assert pd.read_csv(versions / "a" / "comparison" / "table.csv")["condition"].tolist() == ["alp_gmm"]
    assert chiron_compare("new=a", "old=b", "--only", "riac", "--at", "200", "--threshold", "50") == 0
    table = pd.read_csv(versions / "a" / "comparison" / "table.csv")
    assert table["condition"].tolist() == ["new", "old"]
    assert table["steps"].tolist() == [200, 200]
    assert table["mastered_mean"].tolist() == pytest.approx([110 / 3, 80 / 3])
    assert table["return_mean"].tolist() == pytest.approx([110 - 45, 80 - 45])
    assert table["above_mean"].between(0, 100).all()
    capsys.readouterr()
    for arguments, sentence in (
        (["a", "--at", "123"], "--at 123: no run was tested after 123 steps; the nearest are 0, 200, 400"),
        (["a", "--only", "currot"], "--only currot is none of the conditions: alp_gmm, riac"),
        (
            ["a", "--without", "riac", "--without", "alp_gmm"],
            "--only and --without leave none of the conditions: alp_gmm, riac",
        ),
        (["new=a", "b"], "b must be name=folder, as new=a is"),
        (["x=a", "x=b"], "x= is given twice: each folder needs a name of its own"),
        (["new=missing"], "missing is not a folder"),
    ):
        assert chiron_compare(*arguments, "--out", "none") == BAD_INPUT
        assert capsys.readouterr().err == f"chiron-compare: {sentence}\n"
    assert not (versions / "none").exists()


def test_a_run_that_was_not_tested_at_the_step_is_named_and_the_rest_is_shown(
    chiron_compare: Command, versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(versions / "a", "random", 0, [0, 10, 20, 30, 40])
    assert chiron_compare("a", "--at", "100") in (0, 3)
    output = capsys.readouterr().out
    assert "alp_gmm, seed 0, is not counted: it was not tested after 100 steps" in output
    assert "10.0" in output


def test_a_paper_gets_vector_figures_a_table_and_seeds(chiron_compare: Command, versions: Path) -> None:
    assert chiron_compare("new=a", "old_1=b", "--paper", "--threshold", "100") == 0
    paper = versions / "a" / "comparison" / "paper"
    assert {path.name for path in paper.iterdir()} == {
        "learning_curves.pdf", "return_curves.pdf", "performance_profiles.pdf", "table.tex", "seeds.csv",
    }  # fmt: skip
    assert b"/MediaBox [ 0 0 234 " in (paper / "learning_curves.pdf").read_bytes(), "3.25 inches"
    table = (paper / "table.tex").read_text()
    assert r"new ALP-GMM & 3 & 86.7 $\pm$ 15.3" in table
    assert r"old\_1 RIAC" in table
    assert len(pd.read_csv(paper / "seeds.csv")) == 12


def test_intervals_that_say_nothing_are_not_printed(
    chiron_compare: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 1):
        write_run(tmp_path / "study", "alp_gmm", seed, [0, 60 + seed])
        write_run(tmp_path / "study", "random", seed, [0, 10 + seed])
    assert chiron_compare("study") == 0
    output = capsys.readouterr().out
    assert "1.00" in output
    assert "1.00 [" not in output
    assert pd.read_csv(tmp_path / "study" / "comparison" / "table.csv")["improvement_low"][0] == 1

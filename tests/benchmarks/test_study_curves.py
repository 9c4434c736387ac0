"""The stored curves of a study's runs, and the pages made from them."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import study_curves, study_tables
from benchmarks.study_curves import read_curves
from tests.analysis.studies import write_run

HOME = Path(__file__).parents[2]
COMMANDS = [
    (page, found[1])
    for page in sorted((HOME / "docs" / "studies").rglob("*.md"))
    for found in re.finditer(
        r"^python -m benchmarks\.study_tables (docs/.*)$", page.read_text(), re.MULTILINE
    )
]


def test_what_is_kept_is_what_the_runs_have_left(tmp_path: Path) -> None:
    results, kept = tmp_path / "main", tmp_path / "curves.csv"
    write_run(results, "alp_gmm", 0, (0, 10, 50), env__stump_height=[0.0, 6.0])
    write_run(results, "random", 0, (0, 0, 20))
    write_run(results, "random", 1, (0, 10), status="interrupted")
    study_curves.main([str(results), "--out", str(kept)])
    runs, kept_runs = read_curves(results), read_curves(kept)
    assert list(kept_runs.runs.index) == ["main/alp_gmm/seed0", "main/random/seed0"]
    assert list(kept_runs.runs["env.stump_height"]) == ["[0.0, 6.0]", "[0.0, 3.0]"]
    assert kept_runs.mastered.to_dict("list") == {0: [0, 0], 200: [10, 0], 400: [50, 20]}
    assert kept_runs.runs["area"].to_list() == [17.5, 5.0]
    finished = runs.runs.index[runs.runs["problem"].isna()]
    for of, of_kept in zip(runs, kept_runs, strict=True):
        those, same = (
            table.drop(columns="problem", errors="ignore") for table in (of.loc[finished], of_kept)
        )
        pd.testing.assert_frame_equal(those, same, check_dtype=False, check_like=True)


def test_curves_that_end_at_a_step_need_no_finished_runs(tmp_path: Path) -> None:
    results, kept = tmp_path / "main", tmp_path / "curves.csv"
    write_run(results, "random", 0, (0, 10, 50))
    write_run(results, "random", 1, (0, 10, 20), status="interrupted")
    study_curves.main([str(results), "--out", str(kept), "--until", "200"])
    assert read_curves(kept).mastered.to_dict("list") == {0: [0, 0], 200: [10, 10]}
    problems = read_curves(results, until=150).runs["problem"]
    assert list(problems) == ["not evaluated after 150 steps", "interrupted after 200 of 400 steps"]


def test_simulated_students_have_no_returns(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0, (0, 30), simulated=True)
    curves = read_curves(tmp_path)
    assert list(curves.runs["mastered_percent"]) == [30]
    assert curves.returns.empty or curves.returns.isna().all(axis=None)


def test_a_study_goes_on_where_its_first_runs_are_not_at_hand(tmp_path: Path) -> None:
    kept = tmp_path / "curves.csv"
    for seed in (0, 1):
        write_run(tmp_path / str(seed) / "main", "random", seed)
        study_curves.main([str(tmp_path / str(seed)), "--out", str(kept)])
    assert list(read_curves(kept).runs["seed"]) == [0, 1]


def test_refuses_another_result_of_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "curves.csv"
    for folder, percents in (("a", (0, 10)), ("b", (0, 20))):
        write_run(tmp_path / folder / "main", "random", 0, percents)
    study_curves.main([str(tmp_path / "a"), "--out", str(kept)])
    before = kept.read_text()
    with pytest.raises(SystemExit):
        study_curves.main([str(tmp_path / "b"), "--out", str(kept)])
    assert "main/random/seed0 has other results in one of" in capsys.readouterr().err
    assert kept.read_text() == before


@pytest.mark.parametrize(("text", "told"), [("", "cannot be read"), ("run,seed\na,1\n", "has no column env")])
def test_refuses_files_that_it_has_not_written(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_curves(path)


@pytest.mark.parametrize(("page", "arguments"), COMMANDS)
def test_pages_show_the_tables_of_what_is_kept(
    page: Path, arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HOME)
    study_tables.main(arguments.split())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert lines
    assert not set(lines) - set(page.read_text().splitlines())

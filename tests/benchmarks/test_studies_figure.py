"""The curves of the registered studies."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import studies_figure
from benchmarks.study_curves import Curves

EXPERIMENTS = Path(__file__).parents[2] / "conf" / "experiment"


def test_every_study_is_an_experiment() -> None:
    for problem in studies_figure.PROBLEMS:
        assert all((EXPERIMENTS / f"{study}.yaml").is_file() for study in problem.studies)


def test_curves_are_means_over_the_seeds_that_all_teachers_have() -> None:
    in_the_end = {("random", 0): 0.0, ("alp_gmm", 0): 100.0, ("headway", 0): 100.0, ("headway", 1): 0.0}
    runs = pd.DataFrame(list(in_the_end), columns=["teacher", "seed"])
    runs = runs.assign(study="studies/bodies", problem=None, **{"env.body": "short"})
    mastered = pd.DataFrame({0: 0.0, 10: list(in_the_end.values())})
    problem = studies_figure.Problem("legs", ("studies/bodies",), ("env.body", "short"))
    curves = Curves(runs, mastered, mastered - 100)
    left, right = studies_figure.draw(curves, [problem]).axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("mastered (%)", "mean return")
    assert {line.get_label(): list(line.get_ydata()) for line in left.lines} == {  # type: ignore[arg-type]
        "Random": [0, 0],
        "ALP-GMM": [0, 100],
        "Headway": [0, 100],
    }
    assert list(right.lines[1].get_ydata()) == [-100, 0]  # type: ignore[arg-type]
    left, _ = studies_figure.draw(curves, [problem], ["headway"]).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[0, 50]]  # type: ignore[arg-type]
    figure = studies_figure.draw(curves, [problem, problem._replace(title="the same")])
    assert [axes.get_title() for axes in figure.axes] == ["legs", "the same"]


def test_refuses_a_folder_without_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        studies_figure.main([str(tmp_path), "--out", "walkers.png"])
    assert "is not a run and contains none" in capsys.readouterr().err


def test_refuses_a_teacher_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curves = str(EXPERIMENTS.parents[1] / "docs" / "studies" / "sac" / "curves.csv")
    with pytest.raises(SystemExit):
        studies_figure.main([curves, "--teachers", "alp_gmm", "riac", "--out", str(tmp_path / "sac.png")])
    assert "no run of riac in" in capsys.readouterr().err

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
    [axes] = studies_figure.draw(Curves(runs, mastered, mastered), [problem]).axes
    assert axes.get_title() == "legs"
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == {  # type: ignore[arg-type]
        "Random": [0, 0],
        "ALP-GMM": [0, 100],
        "Headway": [0, 100],
    }


def test_refuses_a_folder_without_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        studies_figure.main([str(tmp_path), "--out", "walkers.png"])
    assert "is not a run and contains none" in capsys.readouterr().err

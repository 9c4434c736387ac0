"""The curves of the registered studies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import studies_figure

EXPERIMENTS = Path(__file__).parents[2] / "conf" / "experiment"


def test_every_study_is_an_experiment() -> None:
    for problem in studies_figure.PROBLEMS:
        assert all((EXPERIMENTS / f"{study}.yaml").is_file() for study in problem.studies)


def test_curves_are_means_over_the_seeds_that_all_teachers_have(monkeypatch: pytest.MonkeyPatch) -> None:
    mastered = {("random", 0): 0, ("alp_gmm", 0): 1, ("headway", 0): 1, ("headway", 1): 0}
    runs = [
        {"teacher": teacher, "seed": seed, "run": f"{teacher}{seed}", "problem": None, "env.body": "short"}
        for teacher, seed in mastered
    ]
    evaluations = [
        {"run": f"{teacher}{seed}", "step": step, "mastered": bool(now and step)}
        for (teacher, seed), now in mastered.items()
        for step in (0, 10)
    ]
    study = SimpleNamespace(runs=pd.DataFrame(runs), evaluations=pd.DataFrame(evaluations))
    monkeypatch.setattr(studies_figure, "load_study", lambda *folders: study)
    problem = studies_figure.Problem("legs", ("studies/bodies",), ("env.body", "short"))
    [axes] = studies_figure.draw(Path(), [problem]).axes
    assert axes.get_title() == "legs"
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == {  # type: ignore[arg-type]
        "Random": [0, 0],
        "ALP-GMM": [0, 100],
        "Headway": [0, 100],
    }


def test_refuses_a_folder_without_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        studies_figure.main([str(tmp_path), "--out", "walkers.png"])
    assert "none of the studies is in" in capsys.readouterr().err

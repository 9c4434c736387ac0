from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT, as_sentence
from chiron.scripts.train import FAILED
from hydra.errors import MissingConfigException

from tests.commands import Finished, run_here

SMALL = ["student=toy_grid", "env=simulated", "n_envs=1", "total_steps=600", "evaluation.every_steps=200"]


def search(folder: Path, *arguments: str) -> Finished:
    return run_here(folder, "chiron-train", "sweeper=optuna", "callbacks=logs", *SMALL, *arguments)


def optuna_is_installed() -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", exc_type=ImportError)


@pytest.mark.slow
def test_a_search_is_resumed_and_says_which_setting_was_best(tmp_path: Path) -> None:
    optuna_is_installed()
    command = [
        "teacher.random_ratio=interval(0.05,0.9)", "seed=0,1", "hydra.sweeper.n_trials=2", "objective=area",
    ]  # fmt: skip
    searched = search(tmp_path, *command)
    assert (searched.returncode, searched.stderr) == (0, "")
    runs = [RunDirectory(path.parent) for path in sorted(tmp_path.rglob("summary.json"))]
    assert len(runs) == 4
    areas: dict[float, list[float]] = {}
    for run in runs:
        config = run.read_config() or {}
        assert (config["study"], config["evaluation"]["seed"]) == ("tuning", 1)
        mastery = run.read_mastery().to_numpy()
        area = (mastery[0] / 2 + mastery[1:-1].sum() + mastery[-1] / 2) / (len(mastery) - 1)
        areas.setdefault(config["teacher"]["random_ratio"], []).append(area)
    assert [len(of_seeds) for of_seeds in areas.values()] == [2, 2]
    best = max(areas, key=lambda ratio: sum(areas[ratio]))
    assert "4 jobs: 4 finished" in searched.stdout
    assert f"teacher.random_ratio={best}\nTo train with it" in searched.stdout
    assert searched.stdout.endswith(f"teacher.random_ratio={best} seed=0,1\n")
    (results,) = tmp_path.rglob("optimization_results.yaml")
    assert yaml.safe_load(results.read_text())["best_value"] == pytest.approx(sum(areas[best]) / 2)

    again = search(tmp_path, *command)
    assert again.stdout.count("finished already") == 4
    assert again.stdout.splitlines()[-1] == searched.stdout.splitlines()[-1]


@pytest.mark.medium
def test_a_setting_that_fails_does_not_end_a_search(tmp_path: Path) -> None:
    optuna_is_installed()
    searched = search(tmp_path, "teacher.random_ratio=0.2,7", "hydra.sweeper.n_trials=3")
    assert searched.returncode == FAILED
    assert "random_ratio=7" in searched.stdout
    assert "Best of 1 trials, mastered" in searched.stdout or "Best of 2 trials, mastered" in searched.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["seed=0,1"], "sweeper=optuna has nothing to search: give ranges or choices"),
        (["teacher.random_ratio=interval(0.1,0.2)", "objective=fame"], "objective=fame must be one of mast"),
        (["teacher.random_ratio=interval(3,4)"], "teacher=alp_gmm: random_ratio=3"),
        (["+teacher.nothing=interval(3,4)"], "unknown key 'nothing'"),
        (["teacher.nothing=interval(3,4)"], "Could not override 'teacher.nothing'"),
        (["teacher.random_ratio=interval(0.1,0.2)", "--dry-run"], "--dry-run cannot tell the jobs"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.medium
def test_what_cannot_be_searched(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    optuna_is_installed()
    refused = search(tmp_path, *arguments)
    assert refused.returncode == BAD_INPUT
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_the_extra() -> None:
    error = MissingConfigException("no such file", "hydra/sweeper/optuna", ["basic"])
    assert as_sentence(error) == (
        "sweeper=optuna needs the extra 'optuna': pip install 'chiron-curricula[optuna]'"
    )

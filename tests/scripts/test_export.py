from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from chiron import load_student
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT
from PIL import Image

from tests.commands import run_here
from tests.scripts.conftest import SharedRun
from tests.scripts.test_evaluate_command import SMALL
from tests.scripts.test_simulated_run import GRID

pytest.importorskip("safetensors")
pytestmark = pytest.mark.medium


@pytest.fixture
def run(shared_run: SharedRun, tmp_path: Path) -> RunDirectory:
    """A copy of a run of its own for each test."""
    shared = shared_run("cart_pole", *SMALL, "env=cart_pole")
    return RunDirectory(Path(shutil.copytree(shared.path, tmp_path / "seed0")))


@pytest.mark.parametrize("which", [[], ["--best"]], ids=["last", "best"])
def test_an_exported_student_plays_like_its_run(run: RunDirectory, tmp_path: Path, which: list[str]) -> None:
    exported = run_here(tmp_path, "chiron-export", "seed0", "--out", "published/mine", *which)
    assert (exported.returncode, exported.stderr) == (0, "")
    assert "huggingface-cli upload <user>/mine published/mine" in exported.stdout
    folder = tmp_path / "published" / "mine"
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "config.yaml", "evaluations.csv", "mastery.png", "model.safetensors",
        "normalization.npz", "summary.json", "versions.json",
    }  # fmt: skip

    original, reloaded = load_student(run.path, best=bool(which)), load_student(folder)
    assert reloaded.steps == original.steps
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    for deterministic in (True, False):
        actions = []
        for student in (original, reloaded):
            student._model.set_random_seed(0)
            actions.append(student.predict(observations, deterministic=deterministic)[0])
        np.testing.assert_array_equal(*actions)

    run_here(tmp_path, "chiron-evaluate", "seed0", "--workers", "0", *which)
    evaluated = run_here(tmp_path, "chiron-evaluate", str(folder), "--workers", "0")
    assert evaluated.returncode == 0
    rows = RunDirectory(folder).read_test_set("uniform_v1")
    assert rows.equals(run.read_test_set("best_uniform_v1" if which else "uniform_v1"))


def test_the_card_says_what_was_trained_and_mastered(run: RunDirectory, tmp_path: Path) -> None:
    run_here(tmp_path, "chiron-export", "seed0", "--out", "mine")
    _, header, text = (tmp_path / "mine" / "README.md").read_text().split("---\n", 2)
    (entry,) = yaml.safe_load(header)["model-index"]
    summary = run.read_summary() or {}
    values = {metric["type"]: metric["value"] for metric in entry["results"][0]["metrics"]}
    assert values["mastered_percent"] == summary["mastered_percent"]
    assert values["mean_reward"] == pytest.approx(summary["return_mean"], abs=0.01)
    assert "# FastPPO on cart_pole, taught by alp_gmm" in text
    assert "![Test tasks that are mastered](mastery.png)" in text
    with Image.open(tmp_path / "mine" / "mastery.png") as picture:
        assert len(np.unique(np.asarray(picture))) > 10
    published = RunDirectory(tmp_path / "mine").read_summary() or {}
    assert published.keys().isdisjoint({"host", "pid"})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "run=nowhere is not a run directory: it holds no config.yaml"),
        (["unfinished"], "run=unfinished is interrupted: a student is exported when its run has finished"),
        (["seed0", "--out", "seed0"], "--out=seed0 exists already: give another folder"),
        (["seed0", "--out", "seed0/config.yaml"], "--out=seed0/config.yaml exists already"),
        (["simulated"], "run=simulated has a simulated student, which has no env"),
        (["damaged"], "damaged/model.zip is not what this run wrote"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_exported(
    run: RunDirectory, shared_run: SharedRun, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    unfinished = RunDirectory(Path(shutil.copytree(run.path, tmp_path / "unfinished")))
    unfinished.write_summary({**(run.read_summary() or {}), "status": "interrupted"})
    grid = shared_run("toy_grid", *GRID, "teacher=alp_gmm", "pictures=true")
    shutil.copytree(grid.path, tmp_path / "simulated")
    (Path(shutil.copytree(run.path, tmp_path / "damaged")) / "model.zip").write_bytes(b"PK")
    before = set(tmp_path.rglob("*"))
    refused = run_here(tmp_path, "chiron-export", *arguments)
    assert refused.returncode == BAD_INPUT
    assert refused.stderr.startswith(f"chiron-export: {sentence}")
    assert refused.stderr.count("\n") == 1
    assert set(tmp_path.rglob("*")) == before


def test_an_exported_student_that_is_damaged(run: RunDirectory, tmp_path: Path) -> None:
    run_here(tmp_path, "chiron-export", "seed0", "--out", "mine")
    whole = (tmp_path / "mine" / "model.safetensors").read_bytes()
    for name, damaged in {"cut": whole[:100], "other": b"\xff" * len(whole)}.items():
        folder = Path(shutil.copytree(tmp_path / "mine", tmp_path / name))
        (folder / "model.safetensors").write_bytes(damaged)
        summary = RunDirectory(folder).read_summary() or {}
        RunDirectory(folder).write_summary(summary)  # as a forger could, to match the changed file
        refused = run_here(tmp_path, "chiron-evaluate", name, "--workers", "0")
        assert refused.returncode == BAD_INPUT
        assert f"{name}/model.safetensors is damaged: " in refused.stderr


def test_without_the_extra(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "safetensors" else find(name)
    )
    refused = run_here(tmp_path, "chiron-export", "seed0", "--out", "mine")
    assert refused.returncode == BAD_INPUT
    assert "needs the extra 'export': pip install 'chiron-curricula[export]'" in refused.stderr
    assert not (tmp_path / "mine").exists()

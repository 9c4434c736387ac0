"""The notebooks and scripts run from top to bottom and do what they claim."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from chiron.runs.run_directory import RunDirectory

from tests.commands import run_here

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
FOLDERS_OF_THE_PROJECT = ("callbacks", "envs", "teachers")


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A script, imported with the same module search path as when it is run."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = set(sys.modules)
    yield importlib.import_module(request.param)
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == EXAMPLES:
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads(path.read_text())["cells"]
    variables: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "a notebook is kept without what it has shown"
            exec("".join(cell["source"]), variables)
    assert set(variables["study"].evaluations["teacher"]) == set(variables["study"].runs["teacher"])
    assert len(variables["study"].runs) == 4
    assert isinstance(variables["total"], float)
    assert (tmp_path / "comparison" / "report.html").exists()


@pytest.mark.parametrize("example", ["teacher_curriculum_term"], indirect=True)
class TestCurriculumTerm:
    def test_credits_each_episode_of_4096_envs_to_its_task(self, example: ModuleType) -> None:
        simulator = importlib.import_module("manager_based_stand_in")
        envs = 4096
        env = simulator.ManagerBasedEnv(
            envs, "cpu", {"teacher": example.TeacherCurriculum}, [example.apply_tasks], max_episode_length=20
        )
        batch = env.curriculum_manager.terms["teacher"].batch
        episodes: list[Any] = []
        batch.curriculum.listeners.append(episodes.append)
        env.reset()
        returns, lengths, told = torch.zeros(envs), torch.zeros(envs, dtype=torch.int64), 0
        for step in range(24):
            tasks = env.tasks.clone()
            assert torch.equal(env.mass, 20 + tasks[:, 2])
            _, rewards, terminated, time_outs, extras = env.step(torch.full((envs, 1), 0.03 * step))
            returns, lengths = returns + rewards, lengths + 1
            ended = (terminated | time_outs).nonzero().flatten()
            assert [episode.slot for episode in episodes[told:]] == ended.tolist()
            for episode in episodes[told:]:
                slot = episode.slot
                assert episode.task.tolist() == tasks[slot].tolist()
                assert episode.episode_return == pytest.approx(returns[slot].item(), abs=1e-5)
                assert episode.length == lengths[slot].item()
                assert episode.success == time_outs[slot].item()
            told, returns[ended], lengths[ended] = len(episodes), 0.0, 0
        assert told == batch.curriculum.episodes >= envs
        assert {episode.success for episode in episodes} == {True, False}
        assert extras["log"]["Curriculum/teacher/slope"] == pytest.approx(env.tasks[:, 0].mean().item())

    @pytest.mark.filterwarnings("ignore:ALPGMM could not fit")
    def test_runs(self, example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
        example.main(["--num-envs", "64", "--steps", "20", "--device", "cpu"])
        assert len(capsys.readouterr().out.splitlines()) == 11


@pytest.mark.medium
@pytest.mark.parametrize("name", ["cleanrl_style_ppo", "torchrl_ppo", "skrl_ppo"])
def test_a_learner_plays_the_tasks_of_its_curriculum(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not name.startswith("cleanrl"):
        pytest.importorskip(name.partition("_")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    episodes = importlib.import_module(name).main(
        ["--total-steps", "1024", "--num-envs", "4", "--num-steps", "64"]
    )
    space = importlib.import_module("cart_poles").make_env().task_space
    assert len(episodes) > 10
    assert "mean return" in capsys.readouterr().out
    for episode in episodes:
        assert space.contains(episode.task)
        assert episode.episode_return == episode.length
    assert np.unique([episode.task for episode in episodes], axis=0).shape == (len(episodes), space.dim)


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
class TestProject:
    """A project with folders of its own that are named as the packages here."""

    ARGUMENTS = (
        *("--config-dir", "conf", "env=landing", "teacher=staircase", "callbacks=[default,highest]"),
        *("n_envs=2", "n_workers=0", "evaluation.every_steps=512", "evaluation.n_tasks=2"),
        *("student.n_steps=256", "student.batch_size=256"),
    )

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        project = tmp_path / "project"
        shutil.copytree(EXAMPLES / "project", project)
        monkeypatch.syspath_prepend(str(project))
        yield project
        for name in [name for name in sys.modules if name.partition(".")[0] in FOLDERS_OF_THE_PROJECT]:
            del sys.modules[name]

    def test_trains_with_what_is_its_own_and_resumes(self, project: Path) -> None:
        checked = run_here(project, "chiron-check", "--config-dir", "conf", "env=landing")
        assert checked.returncode == 0, checked.stderr
        for steps in (1024, 2048):
            trained = run_here(project, "chiron-train", *self.ARGUMENTS, f"total_steps={steps}")
            assert trained.returncode == 0, trained.stderr
        assert "Resuming" in trained.stdout
        (summary,) = project.rglob("summary.json")
        run = RunDirectory(summary.parent)
        episodes = run.read_episodes()
        successes = episodes.loc[episodes["success"], "height"]
        written = float((run.path / "highest_height.txt").read_text())
        assert written == pytest.approx(successes.max() if len(successes) else 0.0)
        assert set(episodes["source"]) == {"box"}

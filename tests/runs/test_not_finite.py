"""NaN from any part of a run ends it with a sentence, and the run continues once the cause is gone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chiron import Run, make_run
from chiron.envs.finite import NotFiniteError
from chiron.evaluation.task_sets import uniform_tasks
from chiron.runs.run_directory import RunDirectory
from chiron.students.sb3_student import SB3Student
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Proposals, Random
from stable_baselines3 import PPO

from tests.countdown_env import CountdownEnv

pytestmark = pytest.mark.usefixtures("blank_figures")

TEST_SEEDS = set(uniform_tasks(CountdownEnv().task_space, 3, 0).seeds)


class Broken(CountdownEnv):
    """From some step on, rewards or observations are not finite in training or in test episodes."""

    what: str | None = None
    in_tests = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self._is_test = seed in TEST_SEEDS
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        observation, reward, *rest = super().step(action)
        if self._is_test is self.in_tests:
            reward = np.nan if self.what == "reward" else reward
            observation = np.full_like(observation, np.inf) if self.what == "observation" else observation
        return observation, reward, *rest


class Lost(Random):
    """Proposes NaN after a while."""

    after = 10**9

    def _propose(self, n: int) -> Proposals:
        proposals, self.proposed = super()._propose(n), getattr(self, "proposed", 0) + n
        return Proposals(proposals.tasks * (np.nan if self.proposed > self.after else 1), "lost")


def run_in(folder: Path, env: Any = Broken, teacher: Any = Random) -> Run:
    return make_run(
        env,
        teacher,
        partial(PPO, "MlpPolicy", n_steps=8, batch_size=16, n_epochs=1),
        folder,
        total_steps=96,
        n_envs=2,
        n_workers=0,
        evaluation={"every_steps": 40, "n_tasks": 3},
        checkpoint={"every_steps": 16},
    )


def breaks_after(steps: int, monkeypatch: pytest.MonkeyPatch, kind: type, **attributes: Any) -> None:
    """Set attributes of a class once a run has made `steps` steps."""
    on_step = Run.on_step

    def watch(run: Run) -> None:
        if run.steps == steps:
            for name, value in attributes.items():
                monkeypatch.setattr(kind, name, value)
        on_step(run)

    monkeypatch.setattr(Run, "on_step", watch)


@pytest.mark.medium
@pytest.mark.parametrize("what", ["reward", "observation"])
@pytest.mark.parametrize("in_tests", [True, False], ids=["in a test", "in training"])
def test_of_an_env_is_named_and_the_run_goes_on(what: str, in_tests: bool, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        breaks_after(38, patch, Broken, what=what, in_tests=in_tests)
        where = r"in test task" if in_tests else r"at step 40 of training, in task"
        sentence = rf"^env=Broken .*{what} .* is not finite, .*{where} \(duration=.*\) with seed \d+$"
        with pytest.raises(NotFiniteError, match=sentence):
            run_in(tmp_path / "broken").execute()
    summary = RunDirectory(tmp_path / "broken").read_summary()
    assert summary is not None
    assert summary["status"] == "failed"
    assert summary["steps"] == 40
    ended = run_in(tmp_path / "broken")
    ended.execute()
    assert ended.is_resumed
    run_in(tmp_path / "whole").execute()
    again, whole = RunDirectory(tmp_path / "broken"), RunDirectory(tmp_path / "whole")
    assert again.evaluations.read_bytes() == whole.evaluations.read_bytes()
    assert again.read_episodes().equals(whole.read_episodes())


@pytest.mark.medium
def test_of_a_teacher_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks_after(38, monkeypatch, Lost, after=0)
    with pytest.raises(NotFiniteError, match=r"task \{'duration': nan, .*Lost proposed after \d+ episodes"):
        run_in(tmp_path, teacher=Lost).execute()
    monkeypatch.undo()
    assert run_in(tmp_path, teacher=Lost).execute()["status"] == "finished"


@pytest.mark.medium
def test_weights_are_named_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_rollout_start = Run.on_rollout_start

    def diverge(run: Run) -> None:
        if run.steps == 48:
            assert isinstance(run.student, SB3Student)
            with torch.no_grad():
                run.student.model.policy.get_parameter("action_net.weight")[0, 0] = torch.nan
        on_rollout_start(run)

    monkeypatch.setattr(Run, "on_rollout_start", diverge)
    with pytest.raises(NotFiniteError, match=r"action_net.weight .* after 48 steps: training has"):
        run_in(tmp_path).execute()
    assert RunDirectory(tmp_path).checkpointed_step() == 32
    monkeypatch.undo()
    assert run_in(tmp_path).execute()["status"] == "finished"


@pytest.mark.medium
def test_of_a_simulated_student_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyGrid, "return_mean", np.nan)
    run = make_run(None, Random, partial(ToyGrid), tmp_path, total_steps=100)
    with pytest.raises(NotFiniteError, match="return_mean is not finite in the evaluation at 0 steps"):
        run.execute()

"""A run from Python, without Hydra: order of events, callbacks, resuming."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron import Run, RunCallback, make_run
from chiron.evaluation.evaluation import Evaluation
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import ALPGMM, Episode, Random
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.monitor import Monitor

from tests.countdown_env import CountdownEnv

pytestmark = pytest.mark.usefixtures("blank_figures")

SMALL_PPO = partial(PPO, "MlpPolicy", n_steps=8, batch_size=16, n_epochs=1)
SMALL: dict[str, Any] = {
    "total_steps": 64,
    "n_envs": 2,
    "n_workers": 0,
    "evaluation": {"every_steps": 32, "n_tasks": 3},
    "checkpoint": {"every_minutes": None},
}


class Diary(RunCallback):
    """Records the events of a run."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.evaluated: list[int] = []
        self.episodes = 0

    def on_start(self, run: Run) -> None:
        self.heard.append("start")

    def on_episode(self, run: Run, episode: Episode) -> None:
        assert episode.index == self.episodes
        self.episodes += 1

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        assert run.evaluation is evaluation
        self.heard.append("evaluation")
        self.evaluated.append(evaluation.step)

    def on_checkpoint(self, run: Run) -> None:
        self.heard.append("checkpoint")

    def on_training_end(self, run: Run) -> None:
        self.heard.append("training end")

    def on_end(self, run: Run) -> None:
        self.heard.append("end")

    def state_dict(self) -> dict[str, Any]:
        return {"evaluated": list(self.evaluated), "episodes": self.episodes}

    def load_state_dict(self, state: Any) -> None:
        self.evaluated, self.episodes = list(state["evaluated"]), state["episodes"]


def test_events_come_in_order(tmp_path: Path) -> None:
    diary = Diary()
    run = make_run(CountdownEnv, Random, SMALL_PPO, tmp_path / "run", [diary], **SMALL)
    summary = run.execute()
    tests = ["evaluation", "evaluation"]
    saved = ["checkpoint", *tests[:1], "checkpoint", *tests[1:]]
    assert diary.heard == ["start", "evaluation", *saved, "training end", "end"]
    assert diary.evaluated == [0, 32, 64]
    assert diary.episodes == summary["episodes"] == len(run.directory.read_episodes())
    assert (summary["status"], summary["steps"], summary["error"]) == ("finished", 64, None)
    assert summary["env"], summary["teacher"] == ("CountdownEnv", "Random")
    assert {path.name for path in run.directory.path.iterdir()} >= {
        "config.yaml", "summary.json", "evaluations.csv", "model.zip", "curriculum.png",
    }  # fmt: skip


def test_a_simulated_student_needs_no_env(tmp_path: Path) -> None:
    run = make_run(
        None, ALPGMM, ToyGrid, tmp_path / "run", total_steps=300, evaluation={"every_steps": 100}, seed=3
    )
    assert run.execute()["steps"] == 300
    assert run.directory.read_mastery().index.tolist() == [0, 100, 200, 300]
    assert np.load(run.directory.competence).shape == (10, 10)


class Stop(RunCallback):
    """Interrupts a run at its second checkpoint."""

    def __init__(self) -> None:
        self.checkpoints = 0

    def on_checkpoint(self, run: Run) -> None:
        self.checkpoints += 1

    def on_step(self, run: Run) -> None:
        if self.checkpoints == 2:
            raise KeyboardInterrupt


@pytest.mark.medium
def test_a_run_that_was_stopped_is_resumed_as_if_it_had_not_been(tmp_path: Path) -> None:
    settings = {**SMALL, "checkpoint": {"every_steps": 16, "every_minutes": None}}

    def new(folder: str, *callbacks: RunCallback) -> Run:
        return make_run(CountdownEnv, ALPGMM, SMALL_PPO, tmp_path / folder, callbacks, **settings)

    whole, stopped, resumed = Diary(), Diary(), Diary()
    run = new("whole", whole)
    run.execute()
    interrupted = new("stopped", stopped, Stop())
    with pytest.raises(KeyboardInterrupt):
        interrupted.execute()
    left = json.loads((tmp_path / "stopped" / "summary.json").read_text())
    assert (left["status"], left["steps"] < 64) == ("interrupted", True)
    again = new("stopped", resumed)
    again.execute()
    assert again.is_resumed
    assert resumed.evaluated == whole.evaluated == [0, 32, 64]
    assert resumed.episodes == whole.episodes
    for one, other in ((run.directory, again.directory),):
        assert one.read_episodes().equals(other.read_episodes())
        assert one.read_evaluations().equals(other.read_evaluations())


class Broken(RunCallback):
    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        if evaluation.step == 64:
            raise ValueError("no more ink")


def test_whatever_ends_a_run_callbacks_close_and_the_summary_says_why(tmp_path: Path) -> None:
    diary = Diary()
    run = make_run(CountdownEnv, Random, SMALL_PPO, tmp_path / "run", [diary, Broken()], **SMALL)
    with pytest.raises(ValueError, match="no more ink"):
        run.execute()
    assert diary.heard[-1] == "training end"
    summary = run.directory.read_summary() or {}
    assert (summary["status"], summary["error"]) == ("failed", "no more ink")
    assert "Traceback" in run.directory.log.read_text()
    assert len(run.directory.read_episodes()) == summary["episodes"]


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
def test_callbacks_of_stable_baselines_are_called(tmp_path: Path) -> None:
    saving = CheckpointCallback(8, str(tmp_path / "models"))
    testing = EvalCallback(Monitor(CountdownEnv()), n_eval_episodes=1, eval_freq=16, verbose=0)
    run = make_run(CountdownEnv, Random, SMALL_PPO, tmp_path / "run", [saving, testing], **SMALL)
    run.execute()
    assert len(list((tmp_path / "models").iterdir())) == 4
    assert testing.evaluations_timesteps == [] or testing.last_mean_reward != -np.inf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"total_stesp": 9}, "total_stesp is unknown: the keys are total_steps"),
        ({"evaluation": {"n_task": 3}}, "evaluation.n_task is unknown: the keys are evaluation.every_steps"),
        ({"total_steps": 0}, "total_steps=0 must be at least 1"),
        ({"checkpoint": {"every_steps": 0}}, "checkpoint.every_steps=0 must be above 0"),
        ({"device": "tpu"}, "device=tpu must be auto, cpu, cuda"),
        ({"videos": True}, "env=CountdownEnv: "),
        ({"callbacks": [3]}, "callbacks.int_0=int must be a RunCallback or a BaseCallback"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        make_run(CountdownEnv, Random, SMALL_PPO, tmp_path / "run", **{**SMALL, **settings})
    assert not (tmp_path / "run").exists()


def test_students_that_do_not_fit_their_env_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"student=PPO: .*PPO is not a simulated student"):
        make_run(None, Random, SMALL_PPO, tmp_path)
    with pytest.raises(
        ValueError, match=r"student=ToyGrid: .*ToyGrid is not an algorithm of Stable-Baselines3"
    ):
        make_run(CountdownEnv, Random, ToyGrid, tmp_path)

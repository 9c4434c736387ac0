"""A run that was stopped and resumed equals the run that was never stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.progress import ProgressDisplay
from chiron.runs.run import Run
from chiron.runs.run_directory import RunDirectory
from chiron.runs.run_lock import RunLock
from chiron.scripts import train
from chiron.scripts.refusal import BAD_INPUT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.kills import RUNS, differences, kill_often, unreadable_files
from tests.scripts.conftest import only_run

pytestmark = pytest.mark.medium

SHORT = [
    "env=cart_pole",
    "n_envs=4",
    "n_workers=0",
    "evaluation.every_steps=200",
    "evaluation.n_tasks=2",
    "total_steps=600",
    "checkpoint.every_steps=100",
]
WITHOUT_PICTURES = ["~callbacks.tensorboard", "~callbacks.figure"]
PPO = ["student=ppo", "student.n_steps=32", "student.batch_size=32", "student.n_epochs=2"]
SMALL_NET = "student.policy_kwargs.net_arch=[16,16]"
SAC = ["learning_starts=60", "batch_size=16", "buffer_size=300", "gradient_steps=2"]


STUDENTS = {
    "FastPPO": PPO,
    "PPO": [*PPO, "student._target_=stable_baselines3.PPO"],
    "PPO with gSDE": [
        *PPO,
        "env=point_mass",
        "student._target_=stable_baselines3.PPO",
        "+student.use_sde=true",
        "+student.sde_sample_freq=7",
    ],
    "A2C": ["student=sb3", "student._target_=stable_baselines3.A2C"],
    "SAC": ["env=point_mass", "student=sac", SMALL_NET, *[f"student.{key}" for key in SAC]],
    "FastSAC": ["env=point_mass", "student=fast_sac", SMALL_NET, *[f"student.{key}" for key in SAC]],
    "FastSAC, normalised": [
        *("env=point_mass", "student=fast_sac", SMALL_NET, *[f"student.{key}" for key in SAC]),
        *("student.ent_coef=auto", "+student.vec_normalize.gamma=0.99"),
    ],
    "TD3": [
        *("env=point_mass", "student=sb3", "student._target_=stable_baselines3.TD3"),
        "+student.policy_kwargs.net_arch=[16,16]",
        *[f"+student.{key}" for key in SAC],
    ],
    "DQN": [
        *("student=sb3", "student._target_=stable_baselines3.DQN", "+student.target_update_interval=60"),
        *[f"+student.{key}" for key in SAC],
    ],
    "TQC": [
        *("env=point_mass", "student=sb3", "student._target_=sb3_contrib.TQC"),
        "+student.policy_kwargs.net_arch=[16,16]",
        *[f"+student.{key}" for key in SAC],
    ],
    "RecurrentPPO": [
        *("student=sb3", "student._target_=sb3_contrib.RecurrentPPO", "student.policy=MlpLstmPolicy"),
        *("+student.n_steps=16", "+student.batch_size=32", "+student.n_epochs=1"),
    ],
    "walkers stepped as one": [*PPO, "env=stump_tracks"],
    "walkers one by one": [*PPO, "env=stump_tracks", "env.engine=box2d"],
    "worker processes": [*PPO, "n_workers=2"],
    "another teacher": [*PPO, "teacher=riac"],
    "a student that forgets": [*PPO, "+student.forget_every=200"],
}


ONE_OF_EACH_KIND = ("FastPPO", "A2C", "FastSAC", "walkers stepped as one")
"""Students from one of which the state of each other differs little."""


class KilledError(BaseException):
    """Stands for anything that kills a process."""


@pytest.fixture
def stopped_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """End the next run of this process when its student has made `step` steps."""

    def stop(step: int) -> None:
        def on_step(display: ProgressDisplay, run: Run) -> None:
            if run.steps >= step:
                raise KilledError

        monkeypatch.setattr(ProgressDisplay, "on_step", on_step)

    return stop


@pytest.fixture
def going_on(monkeypatch: pytest.MonkeyPatch, stopped_at: Any) -> Any:
    """Let runs continue without stopping."""
    return lambda: monkeypatch.setattr(ProgressDisplay, "on_step", lambda display, run: None)


def interrupted(run: Any, stopped_at: Any, going_on: Any, arguments: list[str], *steps: int) -> None:
    """Run a command that is stopped at each of these steps, and then to its end."""
    for step in steps:
        stopped_at(step)
        with pytest.raises(KilledError):
            run(*arguments)
    going_on()
    assert run(*arguments) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(arguments, marks=[] if name in ONE_OF_EACH_KIND else [pytest.mark.slow], id=name)
        for name, arguments in STUDENTS.items()
    ],
)
def test_every_kind_of_student_goes_on(
    arguments: list[str], chiron_train: Any, stopped_at: Any, going_on: Any, tmp_path: Path
) -> None:
    command = [*SHORT, *arguments, *WITHOUT_PICTURES]
    assert chiron_train(*command, "results=whole") == 0
    interrupted(chiron_train, stopped_at, going_on, [*command, "results=pieces"], 300)
    pieces = only_run(tmp_path / "pieces")
    assert differences(pieces, only_run(tmp_path / "whole")) == []
    assert len(list(pieces.checkpoints.glob("*.npz"))) == 1


def test_a_simulated_student_goes_on(
    chiron_train: Any, stopped_at: Any, going_on: Any, tmp_path: Path
) -> None:
    command = ["experiment=toy_grid", "total_steps=2_000", "evaluation.every_steps=500", "teacher=covar_gmm"]
    command += ["checkpoint.every_steps=300"]
    assert chiron_train(*command, "results=whole") == 0
    interrupted(chiron_train, stopped_at, going_on, [*command, "results=pieces"], 700, 1_400)
    assert differences(only_run(tmp_path / "pieces"), only_run(tmp_path / "whole")) == []


def test_tensorboard_shows_every_line_once(
    chiron_train: Any, stopped_at: Any, going_on: Any, tmp_path: Path
) -> None:
    command = [*SHORT, *PPO]
    assert chiron_train(*command, "results=whole") == 0
    interrupted(chiron_train, stopped_at, going_on, [*command, "results=pieces"], 250, 450)
    whole, pieces = (scalars(only_run(tmp_path / name)) for name in ("whole", "pieces"))
    assert whole.keys() == pieces.keys()
    for tag, values in whole.items():
        if not tag.startswith(("time/", "speed/")):
            assert pieces[tag] == values, tag


def scalars(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(run.path))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


@pytest.mark.slow
@pytest.mark.parametrize("student", RUNS)
def test_killed_runs_come_to_the_same_end(student: str, tmp_path: Path) -> None:
    short = [*RUNS[student], "total_steps=1_000", "evaluation.every_steps=500", "evaluation.n_tasks=1"]
    short.append("checkpoint.every_steps=100")
    count = kill_often(short, kills=3, rng=np.random.default_rng(), folder=tmp_path)
    assert count.kills == 3
    assert count.finished > 0
    assert count.differing == []
    assert count.unreadable == []


class TestBadLuck:
    @pytest.fixture
    def stopped(self, chiron_train: Any, stopped_at: Any, going_on: Any, tmp_path: Path) -> RunDirectory:
        """A run that was stopped after two checkpoints."""
        stopped_at(450)
        with pytest.raises(KilledError):
            chiron_train(*SHORT, *PPO)
        going_on()
        return only_run(tmp_path)

    def test_a_damaged_checkpoint_is_passed_over(
        self, stopped: RunDirectory, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        *_, older, newest = sorted(stopped.checkpoints.glob("*.npz"))
        os.truncate(newest, 1_000)
        assert chiron_train(*SHORT, *PPO) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert f"{newest.name} must be a state file; it is damaged" in out
        assert f"Resuming from the checkpoint at {int(older.stem.partition('-')[2]):,} steps." in out
        assert chiron_train(*SHORT, *PPO, "results=whole") == 0
        assert differences(stopped, only_run(tmp_path / "whole")) == []

    def test_all_damaged(
        self, stopped: RunDirectory, chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for path in stopped.checkpoints.glob("*.npz"):
            path.write_bytes(b"something else")
        before = stopped.evaluations.read_bytes()
        assert chiron_train(*SHORT, *PPO) == BAD_INPUT
        assert f"none of the checkpoints in {stopped.checkpoints.relative_to(Path.cwd())} can be used" in (
            capsys.readouterr().err
        )
        assert stopped.evaluations.read_bytes() == before

    def test_a_directory_in_use(
        self, stopped: RunDirectory, chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with RunLock(stopped.lock):
            assert chiron_train(*SHORT, *PPO) == BAD_INPUT
        assert f"is in use by process {os.getpid()} on " in capsys.readouterr().err

    def test_other_packages_are_named(
        self, stopped: RunDirectory, chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        versions = stopped.read_versions()
        versions["packages"]["torch"] = "2.0.0"
        stopped.versions.write_text(json.dumps(versions))
        assert chiron_train(*SHORT, *PPO) == 0
        assert "torch 2.0.0 then" in " ".join(capsys.readouterr().out.split())

    def test_full_disk(self, chiron_train: Any, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The run stops with a sentence, and goes on once there is space."""
        sac = [*SHORT, *STUDENTS["FastSAC"], "student.buffer_size=600", "total_steps=1_400"]
        sac.append(f"results={small_disk}")
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes((12 << 20) - 250_000))
        assert chiron_train(*sac) == train.FAILED
        assert "No space left on device" in capsys.readouterr().err
        run = only_run(small_disk)
        assert unreadable_files(run) == []
        ballast.unlink()
        assert chiron_train(*sac) == 0
        sac[-1] = "results=elsewhere"
        assert chiron_train(*sac) == 0
        assert differences(run, only_run(Path("elsewhere"))) == []


def test_checkpoints_by_the_clock(chiron_train: Any, stopped_at: Any, tmp_path: Path) -> None:
    command = [*SHORT[:-1], *PPO, "checkpoint.every_minutes=1e-6"]
    stopped_at(200)
    with pytest.raises(KilledError):
        chiron_train(*command)
    assert only_run(tmp_path).checkpointed_step() == 128


@pytest.mark.parametrize("key", ["every_steps", "every_minutes"])
def test_intervals_are_above_zero(key: str, chiron_train: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert chiron_train(*SHORT, f"checkpoint.{key}=0") == BAD_INPUT
    assert f"checkpoint.{key}=0" in capsys.readouterr().err

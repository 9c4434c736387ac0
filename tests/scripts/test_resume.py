"""A run that was stopped and issued again is the run that was never stopped."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from stable_baselines3.common.save_util import load_from_zip_file

from evaluation.checkpoints import Checkpoints
from evaluation.run_directory import RunDirectory
from evaluation.run_lock import RunLock
from scripts.console import ProgressDisplay
from scripts.refusal import BAD_INPUT
from tests.scripts.conftest import only_run

SHORT = [
    "env=cart_pole",
    "n_envs=4",
    "n_workers=0",
    "evaluation.every_steps=300",
    "evaluation.n_tasks=3",
    "total_steps=1_000",
    "checkpoint.every_steps=150",
]
PPO = ["student=ppo", "student.n_steps=32", "student.batch_size=32", "student.n_epochs=2"]
SMALL_NET = "student.policy_kwargs.net_arch=[16,16]"
SAC = ["learning_starts=100", "batch_size=16", "buffer_size=600", "gradient_steps=2"]

STUDENTS = {
    "FastPPO": PPO,
    "PPO": [*PPO, "student._target_=stable_baselines3.PPO"],
    "PPO with gSDE": [
        *PPO,
        "env=pendulum",
        "student._target_=stable_baselines3.PPO",
        "+student.use_sde=true",
        "+student.sde_sample_freq=7",
    ],
    "A2C": ["student=sb3", "student._target_=stable_baselines3.A2C"],
    "SAC": ["env=pendulum", "student=sac", SMALL_NET, *[f"student.{key}" for key in SAC]],
    "FastSAC": ["env=pendulum", "student=fast_sac", SMALL_NET, *[f"student.{key}" for key in SAC]],
    "FastSAC, normalised": [
        *("env=pendulum", "student=fast_sac", SMALL_NET, *[f"student.{key}" for key in SAC]),
        *("student.ent_coef=auto", "+student.vec_normalize.gamma=0.99"),
    ],
    "TD3": [
        *("env=pendulum", "student=sb3", "student._target_=stable_baselines3.TD3"),
        "+student.policy_kwargs.net_arch=[16,16]",
        *[f"+student.{key}" for key in SAC],
    ],
    "DQN": [
        *("student=sb3", "student._target_=stable_baselines3.DQN", "+student.target_update_interval=100"),
        *[f"+student.{key}" for key in SAC],
    ],
    "TQC": [
        *("env=pendulum", "student=sb3", "student._target_=sb3_contrib.TQC"),
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
}


class KilledError(BaseException):
    """Stands for what ends a process without its consent."""


@pytest.fixture
def stopped_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the next run of this process end when its student has made so many steps."""

    def stop(step: int) -> None:
        def advance(display: ProgressDisplay, now: int) -> None:
            if now >= step:
                raise KilledError

        monkeypatch.setattr(ProgressDisplay, "advance", advance)

    return stop


@pytest.fixture
def going_on(monkeypatch: pytest.MonkeyPatch, stopped_at: Any) -> Any:
    """Nothing stops runs any more."""
    return lambda: monkeypatch.setattr(ProgressDisplay, "advance", lambda display, now: None)


def interrupted(run: Any, stopped_at: Any, going_on: Any, arguments: list[str], *steps: int) -> None:
    """Run a command that ends at each of these steps, and then to its end."""
    for step in steps:
        stopped_at(step)
        with pytest.raises(KilledError):
            run(*arguments)
    going_on()
    assert run(*arguments) == 0


def assert_same(one: RunDirectory, other: RunDirectory) -> None:
    pd.testing.assert_frame_equal(one.read_episodes(), other.read_episodes(), check_exact=True)
    assert one.evaluations.read_bytes() == other.evaluations.read_bytes()
    assert one.snapshots.read_bytes() == other.snapshots.read_bytes()
    weights, others = (flat_parameters(directory) for directory in (one, other))
    assert weights.keys() == others.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)
    assert one.read_summary().keys() == other.read_summary().keys()  # type: ignore[union-attr]
    assert not one.checkpoints.exists()


def flat_parameters(directory: RunDirectory) -> dict[str, NDArray[Any]]:
    """All numbers of a stored model that learning changes, optimizers included."""
    if not directory.model.exists():
        return {"competence": np.load(directory.competence)}
    _, parameters, variables = load_from_zip_file(directory.model, device="cpu")
    found: dict[str, NDArray[Any]] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value.detach().numpy()
        elif isinstance(value, dict):
            for key, item in value.items():
                add(f"{name}.{key}", item)

    add("parameters", parameters)
    add("variables", variables)
    return found


@pytest.mark.parametrize("arguments", STUDENTS.values(), ids=STUDENTS.keys())
def test_every_kind_of_student_goes_on(
    arguments: list[str], chiron_train: Any, stopped_at: Any, going_on: Any, tmp_path: Path
) -> None:
    command = [*SHORT, *arguments]
    assert chiron_train(*command, "results=whole") == 0
    interrupted(chiron_train, stopped_at, going_on, [*command, "results=pieces"], 400, 700)
    assert_same(only_run(tmp_path / "pieces"), only_run(tmp_path / "whole"))

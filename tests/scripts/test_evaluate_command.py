from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from chiron.envs.walkers.open_ended_tracks import TEST_ENVS
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT, LEFT_OUT
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.listing import build_env
from tests.scripts.conftest import SharedRun, only_run

pytestmark = pytest.mark.medium

Command = Callable[..., int]

SMALL = [
    "total_steps=128", "n_envs=2", "n_workers=0", "student.n_steps=64", "student.batch_size=64",
    "evaluation.every_steps=128", "evaluation.n_tasks=2",
]  # fmt: skip


@pytest.fixture
def run(shared_run: SharedRun, tmp_path: Path) -> RunDirectory:
    """A copy of a run of its own for each test."""
    shared = shared_run("cart_pole", *SMALL, "env=cart_pole")
    return RunDirectory(Path(shutil.copytree(shared.path, tmp_path / "results" / "seed0")))


def replayed(run: RunDirectory, env: gym.Env[Any, Any], task: list[float], seed: int) -> tuple[float, int]:
    """Return and length of an episode, played by Stable-Baselines3 and Gymnasium alone, two frames a step."""
    model = PPO.load(run.model, device="cpu")
    normalizer = VecNormalize.load(str(run.path / "vec_normalize.pkl"), DummyVecEnv([lambda: env]))
    observation, _ = env.reset(seed=seed, options={"task": np.array(task, np.float32)})
    total, steps, over = 0.0, 0, False
    while not over:
        action = model.predict(normalizer.normalize_obs(observation[None]), deterministic=True)[0][0]
        steps += 1
        for _ in range(2):
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            over = terminated or truncated
            if over:
                break
    return total, steps


def test_rows_are_what_the_policy_does(
    chiron_evaluate: Command, run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_evaluate(str(run.path), "--episodes", "2", "--workers", "0") == 0
    output = capsys.readouterr().out
    assert "evaluations/uniform_v1.csv" in output
    rows = run.read_test_set("uniform_v1")
    env = build_env("cart_pole")
    columns = env.get_wrapper_attr("task_space").columns
    assert list(rows.columns) == [
        "step", "task_index", "episode", *columns, "seed", "return", "length", "mastered",
    ]  # fmt: skip
    assert rows["task_index"].tolist() == np.repeat(np.arange(50), 2).tolist()
    assert rows["episode"].tolist() == [0, 1] * 50
    assert (rows["step"] == 128).all()
    assert rows["seed"].nunique() == 100
    for index in (0, 1, 57):
        row = rows.iloc[index]
        assert replayed(run, env, row[columns].tolist(), int(row["seed"])) == (row["return"], row["length"])
    assert f"{100 * rows['mastered'].mean():.1f}" in output
    assert run.test_sets() == ["uniform_v1"]


def test_own_tasks_and_worker_processes(chiron_evaluate: Command, run: RunDirectory, tmp_path: Path) -> None:
    tasks = build_env("cart_pole").get_wrapper_attr("task_space")
    table = pd.DataFrame(tasks.sample(np.random.default_rng(0), 3), columns=tasks.columns)
    table.assign(seed=[5, 6, 7]).to_csv(tmp_path / "mine.csv", index=False)
    results = []
    for workers in ("0", "1"):
        assert chiron_evaluate(str(run.path), "--on", "mine.csv", "--workers", workers) == 0
        results.append(run.read_test_set("mine"))
    assert results[0].equals(results[1])
    assert results[0]["seed"].tolist() == [5, 6, 7]
    np.testing.assert_allclose(results[0][tasks.columns], table[tasks.columns], rtol=1e-6)


def test_all_runs_of_a_folder_but_those_that_left_nothing(
    chiron_train: Any, chiron_evaluate: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_train("-m", *SMALL, "env=cart_pole", "seed=0,1,2") == 0
    runs = [RunDirectory(path.parent) for path in sorted(tmp_path.rglob("seed*/model.zip"))]
    runs[1].model.unlink()
    assert chiron_evaluate("results", "--workers", "0") == LEFT_OUT
    assert [run.test_sets() for run in runs] == [["uniform_v1"], [], ["uniform_v1"]]
    assert "seed1 has no model.zip yet" in capsys.readouterr().err


def test_walkers_have_six_test_envs(
    chiron_train: Any, chiron_evaluate: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_train(*SMALL, "env.body=short") == 0
    run = only_run(tmp_path)
    assert chiron_evaluate(str(run.path), "--on", "open_ended", "--workers", "0") == 0
    rows = run.read_test_set("open_ended_v1")
    assert rows["test_env"].tolist() == list(TEST_ENVS)
    assert rows["task_index"].tolist() == list(range(6))
    env: Any = gym.make("chiron/OpenEndedTracks-v0", body="short", test_env="pit_gap").unwrapped
    row = rows[rows["test_env"] == "pit_gap"].iloc[0]
    task = env.task_space.default.tolist()
    # Batches are rounded differently from single observations, and walkers amplify the difference.
    assert replayed(run, env, task, int(row["seed"])) == pytest.approx(
        (row["return"], row["length"]), rel=1e-3
    )
    assert "BipedalWalkerHardcore-v3" in capsys.readouterr().out


def test_bad_input(
    chiron_evaluate: Command, run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "uniform_v1.csv").write_text("seed\n")
    for arguments, sentence in (
        ("--on grid", "grid has tasks of 1, 2 or 3 numbers, and this env's have 4: use uniform"),
        ("--on open_ended", "--on open_ended is for walkers, and this student plays"),
        ("--on fancy", "--on fancy must be one of uniform, grid, open_ended or a file that ends in .csv"),
        ("--on missing.csv", "missing.csv cannot be read as CSV"),
        ("--on uniform_v1.csv", "--on uniform_v1.csv has the name of one of Chiron's own test sets"),
        ("--episodes 0", "--episodes=0 must be at least 1"),
        ("--workers -1", "--workers=-1 must be at least 0"),
    ):
        assert chiron_evaluate(str(run.path), *arguments.split()) == BAD_INPUT, arguments
        assert sentence in capsys.readouterr().err
    assert run.test_sets() == []


def test_only_runs_with_a_student_can_be_evaluated(
    chiron_train: Any, chiron_evaluate: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_evaluate(".") == BAD_INPUT
    assert "is not a run directory" in capsys.readouterr().err
    grid = ["experiment=toy_grid", "total_steps=100", "evaluation.every_steps=100"]
    assert chiron_train(*grid, "teacher=random") == 0
    assert chiron_evaluate(str(only_run(tmp_path).path)) == BAD_INPUT
    assert "has a simulated student, which has no env" in capsys.readouterr().err

"""A finished run continues with a larger budget exactly like a run with that budget from the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT

from benchmarks.kills import differences
from tests.scripts.conftest import only_run
from tests.scripts.test_resume import PPO, SAC, SHORT, SMALL_NET

pytestmark = pytest.mark.medium

CONSTANT = ["student.learning_rate=1e-3"]
STUDENTS = {
    # A rollout has 128 steps: the budget ends where an evaluation is due, and within a rollout.
    "FastPPO": [*PPO, *CONSTANT, "evaluation.every_steps=384", "total_steps=768"],
    "PPO with gSDE": [
        *(*PPO, *CONSTANT, "env=pendulum", "student._target_=stable_baselines3.PPO", "+student.use_sde=true"),
        *("+student.sde_sample_freq=7", "total_steps=700"),
    ],
    "SAC, episode by episode": [
        *("env=pendulum", "student=sac", SMALL_NET, *[f"student.{key}" for key in SAC], "n_envs=1"),
        *("student.train_freq=[1,episode]", "student.gradient_steps=5", "total_steps=700"),
    ],
    "a simulated student": [
        *("env=simulated", "student=toy_grid", "teacher=riac", "evaluation.every_steps=250"),
        "total_steps=1_000",
    ],
}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(arguments, marks=[] if name == "FastPPO" else pytest.mark.slow, id=name)
        for name, arguments in STUDENTS.items()
    ],
)
def test_a_finished_run_is_continued(arguments: list[str], chiron_train: Any, tmp_path: Path) -> None:
    command = [*SHORT[:-2], *arguments]
    longer = [*command, "total_steps=1_300"]
    assert chiron_train(*longer, "results=whole") == 0
    for budget in (command, longer):
        assert chiron_train(*budget, "results=pieces") == 0
    pieces = only_run(tmp_path / "pieces")
    assert differences(pieces, only_run(tmp_path / "whole")) == []
    summary, config = pieces.read_summary(), pieces.read_config()
    assert summary is not None
    assert config is not None
    assert summary["total_steps"] == config["total_steps"] == 1_300
    assert len(summary["budgets"]) == 2


class TestAFinishedRun:
    @pytest.fixture
    def command(self) -> list[str]:
        return [*SHORT[:-2], *PPO]

    def test_says_that_a_smaller_budget_is_used_up(
        self, command: list[str], chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train(*command, "total_steps=200") == 0
        assert chiron_train(*command, "total_steps=100") == 0
        assert (
            "finished already, after 256 steps, which is more than total_steps=100" in capsys.readouterr().out
        )
        assert only_run(tmp_path).checkpointed_step() == 128

    def test_says_what_changes_over_the_budget(
        self, command: list[str], chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train(*command, "total_steps=200") == 0
        assert chiron_train(*command, "total_steps=300") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "learning_rate changes over total_steps, which was 200 until here" in said

    def test_without_its_last_state_is_left_alone(
        self, command: list[str], chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train(*command, "total_steps=200", "checkpoint.keep_last=false") == 0
        run = only_run(tmp_path)
        assert not run.checkpoints.exists()
        before = files(run)
        assert chiron_train(*command, "total_steps=300") == BAD_INPUT
        assert "finished after 200 steps without its last state" in capsys.readouterr().err
        assert files(run) == before

    def test_with_a_damaged_last_state_is_left_alone(
        self, command: list[str], chiron_train: Any, tmp_path: Path
    ) -> None:
        assert chiron_train(*command, "total_steps=200") == 0
        run = only_run(tmp_path)
        (state,) = run.checkpoints.glob("*.npz")
        state.write_bytes(b"something else")
        before = files(run)
        assert chiron_train(*command, "total_steps=300") == BAD_INPUT
        assert files(run) == before

    def test_of_a_sweep_is_continued(
        self, command: list[str], chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sweep = ["-m", "experiment=toy_grid", "seed=0,1", "evaluation.every_steps=100"]
        assert chiron_train(*sweep, "total_steps=100") == 0
        assert chiron_train(*sweep, "total_steps=200", "--dry-run") == 0
        assert "2 jobs: 2 to resume" in capsys.readouterr().out
        assert chiron_train(*sweep, "total_steps=200") == 0
        assert capsys.readouterr().out.count("finished, ") == 2


def files(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}

"""Interrupted commands: their messages, their exit codes, and what the same command resumes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from chiron.runs.pictures import Figure
from chiron.runs.progress import ProgressDisplay

from tests.scripts.conftest import only_run

pytestmark = pytest.mark.medium

GRID = ["experiment=toy_grid", "total_steps=200", "evaluation.every_steps=100"]


@pytest.fixture
def asked_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`asked_at(step, number)`: send a signal to this process when a run has made `step` steps."""

    def ask(step: int, number: int, times: int = 1) -> None:
        def on_step(display: ProgressDisplay, run: Any) -> None:
            if run.steps == step:
                for _ in range(times):
                    os.kill(os.getpid(), number)

        monkeypatch.setattr(ProgressDisplay, "on_step", on_step)

    return ask


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_says_where_its_state_has_been_saved(
    number: int, code: int, chiron_train: Any, asked_at: Any, tmp_path: Path, capsys: Any
) -> None:
    asked_at(150, number)
    assert chiron_train(*GRID) == code
    output = capsys.readouterr()
    assert "Interrupted: stopped at 150 steps, where its state has been saved; the same" in output.out
    assert output.err.count("\n") == 1
    assert only_run(tmp_path).checkpointed_step() == 150
    asked_at(-1, number)
    assert chiron_train(*GRID) == 0
    assert "Resuming from the checkpoint at 150 steps." in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once(chiron_train: Any, asked_at: Any, capsys: Any) -> None:
    asked_at(150, signal.SIGINT, 2)
    assert chiron_train(*GRID) == 130
    assert "Interrupted; the same command resumes it." in capsys.readouterr().out


def test_a_finished_run_is_no_interrupted_one(
    chiron_train: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(Figure, "on_end", lambda figure, run: os.kill(os.getpid(), signal.SIGINT))
    assert chiron_train(*GRID) == 0
    assert "finished" in capsys.readouterr().out
    assert chiron_train("-m", *GRID, "study=sweep") == 0
    assert chiron_train("-m", *GRID, "study=longer", "seed=0,1") == 130
    assert "2 jobs: 1 finished, 1 to start" in capsys.readouterr().out


def test_a_sweep_saves_the_job_that_runs_and_begins_no_other(
    chiron_train: Any, asked_at: Any, capsys: Any
) -> None:
    sweep = ["-m", *GRID, "seed=0,1,2", "checkpoint.every_minutes=null"]
    assert chiron_train(*sweep[:2], "seed=0", *sweep[2:4], "checkpoint.every_minutes=null") == 0
    asked_at(120, signal.SIGTERM)
    assert chiron_train(*sweep) == 143
    output = capsys.readouterr().out
    assert "seed1: interrupted: stopped at 120 steps, where its state has been saved" in output
    assert "3 jobs: 1 finished, 1 to resume, 1 to start" in output
    asked_at(-1, signal.SIGTERM)
    assert chiron_train(*sweep) == 0
    assert "3 jobs: 3 finished" in capsys.readouterr().out

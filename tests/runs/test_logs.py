from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chiron.envs.task_space import TaskSpace
from chiron.evaluation.evaluate import TaskResult
from chiron.runs.episode_log import EpisodeLog
from chiron.runs.evaluation_log import EvaluationLog
from chiron.runs.run_directory import RunDirectory
from chiron.teachers import Episode


def episode(index: int, success: bool | None = True) -> Episode:
    task = np.array([index % 30 + 1, 0.5], dtype=np.float32)
    return Episode(
        slot=index % 4,
        task=task,
        source="random",
        ticket={},
        seed=100 + index,
        index=index,
        step=10 * index,
        episode_return=1.5 * index,
        length=index + 1,
        success=success,
    )


def test_every_episode_is_one_row(tmp_path: Path, countdown_space: TaskSpace) -> None:
    run = RunDirectory(tmp_path)
    log = EpisodeLog(run.episodes, countdown_space)
    for index in range(2500):
        log.add(episode(index))
    assert len(run.read_episodes()) == 2000, "full parts are readable while the run goes on"
    log.flush()
    rows = run.read_episodes()
    assert rows["episode"].tolist() == list(range(2500))
    assert list(rows.columns[:9]) == [
        "episode", "step", "duration", "worth", "return", "length", "success", "seed", "source",
    ]  # fmt: skip
    last = rows.iloc[-1]
    assert (last["step"], last["return"], last["seed"], last["source"]) == (24990, 3748.5, 2599, "random")


def test_success_may_be_unknown(tmp_path: Path, countdown_space: TaskSpace) -> None:
    log = EpisodeLog(tmp_path / "episodes", countdown_space)
    for index, success in enumerate([True, None, False]):
        log.add(episode(index, success))
    log.flush()
    assert RunDirectory(tmp_path).read_episodes()["success"].tolist() == [True, pd.NA, False]


def test_an_empty_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no episode"):
        RunDirectory(tmp_path).read_episodes()


def test_evaluations_are_appended(tmp_path: Path, countdown_space: TaskSpace) -> None:
    run = RunDirectory(tmp_path)
    log = EvaluationLog(run.evaluations, countdown_space)
    task = np.array([3, 0.25], dtype=np.float32)
    for step in (0, 100):
        log.add(step, [TaskResult(i, task, 0.1 + i, 3, i == 1) for i in range(2)])
    rows = run.read_evaluations()
    assert rows["step"].tolist() == [0, 0, 100, 100]
    assert rows["task_index"].tolist() == [0, 1, 0, 1]
    assert rows["return"].tolist() == [0.1, 1.1, 0.1, 1.1]
    assert rows["mastered"].tolist() == [False, True, False, True]

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskSpace
from chiron.evaluation.evaluate import TaskResult
from chiron.evaluation.evaluation import Evaluation
from chiron.runs.checkpoints import Checkpoint
from chiron.runs.episode_log import EpisodeLog
from chiron.runs.evaluation_log import EvaluationLog
from chiron.runs.run import Run, RunCallback
from chiron.runs.run_directory import RunDirectory
from chiron.teachers import Curriculum, Episode, Random

from tests.runs.stub import stub_run

Log = TypeVar("Log", bound=RunCallback)


@pytest.fixture
def run(tmp_path: Path, countdown_space: TaskSpace) -> Run:
    return stub_run(tmp_path, Curriculum(Random(countdown_space), EnvInfo(countdown_space)))


def episode(index: int, success: bool | None = True) -> Episode:
    task = np.array([index % 30 + 1, 0.5], dtype=np.float32)
    outcome = {"episode_return": 1.5 * index, "length": index + 1, "step": 10 * index, "success": success}
    return Episode(index % 4, task, "random", {}, seed=100 + index, index=index, **outcome)  # type: ignore[arg-type]


def test_every_episode_is_one_row(run: Run) -> None:
    log = EpisodeLog()
    log.on_start(run)
    for index in range(2500):
        log.on_episode(run, episode(index))
    assert len(run.directory.read_episodes()) == 2000, "full parts are readable while the run trains"
    log.on_training_end(run)
    rows = run.directory.read_episodes()
    assert rows["episode"].tolist() == list(range(2500))
    assert list(rows.columns[:9]) == [
        "episode", "step", "duration", "worth", "return", "length", "success", "seed", "source",
    ]  # fmt: skip
    last = rows.iloc[-1]
    assert (last["step"], last["return"], last["seed"], last["source"]) == (24990, 3748.5, 2599, "random")


def checkpointed(log: Log, run: Run) -> Log:
    """Continue a log from its checkpoint, of which only state and files are left, in a new one."""
    run.directory.keep_checkpoint(Checkpoint(0, {"log": log.state_dict()}, log.files(run)))
    checkpoint, faults = run.directory.newest_checkpoint()
    assert checkpoint is not None
    assert not faults
    run.counted_on = checkpoint.files
    following = type(log)()
    following.load_state_dict(checkpoint.state["log"])
    return following


def test_rows_after_the_checkpoint_are_dropped(run: Run) -> None:
    log = EpisodeLog()
    log.on_start(run)
    for index in range(1200):
        log.on_episode(run, episode(index, None if index % 3 else True))
    following = checkpointed(log, run)
    for index in range(1200, 2500):
        log.on_episode(run, episode(index))
    log.on_training_end(run)
    before = run.directory.read_episodes()[:1200]
    following.on_start(run)
    assert len(run.directory.read_episodes()) == 1000
    following.on_episode(run, episode(7))
    following.on_training_end(run)
    after = run.directory.read_episodes()
    pd.testing.assert_frame_equal(after[:1200], before)
    assert after["episode"].tolist() == [*range(1200), 7]


@pytest.mark.parametrize("count", [50_000, 200_000])
def test_a_long_log_is_a_few_dozen_files(run: Run, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def write(frame: pd.DataFrame, path: Path, index: bool) -> None:
        written.append(len(frame))
        path.touch()

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
    log = EpisodeLog()
    log.on_start(run)
    one = episode(0)
    for _ in range(count):
        log.on_episode(run, one)
    log.on_training_end(run)
    assert sum(written) == count
    assert len(written) == len(list(run.directory.episodes.iterdir())) < 45


def test_success_may_be_unknown(run: Run) -> None:
    log = EpisodeLog()
    log.on_start(run)
    for index, success in enumerate([True, None, False]):
        log.on_episode(run, episode(index, success))
    log.on_training_end(run)
    assert run.directory.read_episodes()["success"].tolist() == [True, pd.NA, False]


def test_an_empty_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no episode"):
        RunDirectory(tmp_path).read_episodes()


def test_evaluations_are_appended(run: Run) -> None:
    log = EvaluationLog()
    log.on_start(run)
    task = np.array([3, 0.25], dtype=np.float32)
    for step in (0, 100):
        results = [TaskResult(i, task, 0.1 + i, 3, i == 1) for i in range(2)]
        log.on_evaluation(run, Evaluation(step, 50.0, 0.6, results))
    rows = run.directory.read_evaluations()
    assert rows["step"].tolist() == [0, 0, 100, 100]
    assert rows["task_index"].tolist() == [0, 1, 0, 1]
    assert rows["return"].tolist() == [0.1, 1.1, 0.1, 1.1]
    assert rows["mastered"].tolist() == [False, True, False, True]


def test_evaluations_after_the_checkpoint_are_dropped(run: Run) -> None:
    log = EvaluationLog()
    log.on_start(run)
    log.on_evaluation(run, Evaluation(0, 0.0, 0.0))
    following = checkpointed(log, run)
    log.on_evaluation(run, Evaluation(100, 10.0, 0.1))
    following.on_start(run)
    following.on_evaluation(run, Evaluation(100, 20.0, 0.2))
    assert run.directory.read_mastery().to_dict() == {0: 0.0, 100: 20.0}

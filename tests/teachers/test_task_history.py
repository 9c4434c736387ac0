from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chiron.runs.state_file import load_state, save_state
from chiron.teachers.task_history import TaskHistory
from numpy.typing import NDArray


def filled(tasks: NDArray[np.float32], returns: NDArray[np.float64]) -> TaskHistory:
    history = TaskHistory(tasks.shape[1])
    for task, episode_return in zip(tasks, returns, strict=True):
        history.exchange(task, episode_return)
    return history


@pytest.mark.parametrize("dim", [1, 2, 20])
@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 9000])
def test_nearest_neighbours_are_those_of_a_full_search(dim: int, n: int) -> None:
    rng = np.random.default_rng(n)
    tasks = rng.random((n, dim)).astype(np.float32)
    # Some form a tight cluster, as from a teacher that has converged.
    tasks[n // 2 :: 3] = 0.5 + 1e-3 * rng.random((len(tasks[n // 2 :: 3]), dim))
    returns = rng.random(n)
    history = filled(tasks, returns)
    assert len(history) == len(np.unique(tasks, axis=0))
    queries = np.concatenate([rng.random((100, dim)), 0.5 + 1e-3 * rng.random((100, dim)), tasks[:50]])
    for query in queries.astype(np.float32):
        distances = ((tasks.astype(np.float64) - query) ** 2).sum(axis=1)
        assert history.nearest_return(query) in returns[distances <= distances.min() * (1 + 1e-12)]


def test_exchange_tells_what_was_known_before() -> None:
    history = TaskHistory(1)
    told = [
        history.exchange(np.array([task], dtype=np.float32), episode_return)
        for task, episode_return in [(0.1, 1.0), (0.9, 2.0), (0.8, 3.0), (0.1, 4.0), (0.2, 5.0)]
    ]
    assert told == [None, 1.0, 2.0, 1.0, 4.0]


def test_a_task_played_again_takes_the_latest_return_and_no_more_room() -> None:
    rng = np.random.default_rng(0)
    tasks = rng.random((700, 2)).astype(np.float32)
    history = TaskHistory(2)
    for repetition in range(5):
        for i, task in enumerate(tasks):
            history.exchange(task, 1000.0 * repetition + i)
    assert len(history) == 700
    assert [history.nearest_return(task) for task in tasks] == [4000.0 + i for i in range(700)]


def test_rows_are_kept_in_order() -> None:
    rng = np.random.default_rng(0)
    tasks, returns = rng.random((5000, 3)).astype(np.float32), rng.random(5000)
    history = filled(tasks, returns)
    assert np.array_equal(history.tasks, tasks)
    assert np.array_equal(history.returns, returns)


def test_a_restored_history_goes_on_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tasks, returns = rng.random((12_000, 2)).astype(np.float32), rng.random(12_000)
    history, restored = filled(tasks[:7000], returns[:7000]), TaskHistory(2)
    save_state(tmp_path / "history", history.state_dict())
    restored.load_state_dict(load_state(tmp_path / "history"))
    for task, episode_return in zip(tasks[7000:], returns[7000:], strict=True):
        assert history.exchange(task, episode_return) == restored.exchange(task, episode_return)
    assert np.array_equal(history.tasks, restored.tasks)


def test_an_empty_history_has_no_answer() -> None:
    with pytest.raises(ValueError, match="empty history"):
        TaskHistory(2).nearest_return(np.zeros(2, dtype=np.float32))


def test_most_rows_are_indexed_and_in_no_more_than_two_trees() -> None:
    rng = np.random.default_rng(0)
    history = TaskHistory(2)
    largest_young = 0
    for task in rng.random((60_000, 2)).astype(np.float32):
        history._append(task, 0.0)
        largest_young = max(largest_young, len(history._young.tasks))
    assert len(history._old.tasks) > 45_000
    assert largest_young < 9000

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from chiron.envs import StumpTracks, SyncTaskVectorEnv, long_episodes
from chiron.evaluation.evaluate import TaskResult, evaluate, evaluation_slots
from chiron.evaluation.task_sets import uniform_tasks

from tests.countdown_env import CountdownEnv


def idle(observations: Any, episode_starts: Any) -> Any:
    return np.zeros((len(observations), 1), dtype=np.float32)


def evaluated(slots: int, n_tasks: int = 20) -> list[TaskResult]:
    task_set = uniform_tasks(CountdownEnv().task_space, n_tasks, seed=0)
    return evaluate(idle, SyncTaskVectorEnv([CountdownEnv] * slots), task_set.tasks, task_set.seeds)


@pytest.mark.parametrize("slots", [1, 3, 20, 32])
def test_plays_each_task_once_and_reports_in_order(slots: int) -> None:
    results = evaluated(slots)
    assert [row.task_index for row in results] == list(range(20))
    for row in results:
        duration, worth = row.task
        assert row.length == int(np.ceil(duration))
        assert row.episode_return == pytest.approx(row.length * worth, rel=1e-5)
        assert row.mastered == (worth > 0)


def test_rows_do_not_depend_on_how_many_are_played_at_once() -> None:
    def rows(slots: int) -> list[tuple[int, float, int, bool]]:
        return [(r.task_index, r.episode_return, r.length, r.mastered) for r in evaluated(slots)]

    assert rows(1) == rows(7) == rows(20)


def test_the_same_policy_earns_the_same_rows_again_in_used_worlds() -> None:
    task_set = uniform_tasks(StumpTracks.task_space(), 4, seed=0)
    worlds = SyncTaskVectorEnv([StumpTracks] * 2)

    def rows() -> list[tuple[float, int]]:
        def policy(observations: Any, episode_starts: Any) -> Any:
            return np.tanh(observations[:, 4:8] * 3)

        return [
            (r.episode_return, r.length) for r in evaluate(policy, worlds, task_set.tasks, task_set.seeds)
        ]

    assert rows() == rows()


def test_a_test_task_that_does_not_end_is_spoken_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_episodes, "_LONG", 25)
    task_set = uniform_tasks(CountdownEnv().task_space, 20, seed=0)
    results = evaluate(idle, SyncTaskVectorEnv([CountdownEnv] * 3), task_set.tasks, task_set.seeds)
    long = next(row.task_index for row in results if row.length >= 25)
    shown, seed = CountdownEnv().task_space.shown(task_set.tasks[long]), task_set.seeds[long]
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"the episode in task ({shown}) with seed {seed} has not ended after 25 steps"
    ]


def test_a_world_is_stepped_no_further_than_its_tasks() -> None:
    task_set = uniform_tasks(CountdownEnv().task_space, 20, seed=0)
    played = [0]

    class Counting(CountdownEnv):
        def step(self, action: Any) -> Any:
            played[0] += 1
            return super().step(action)

    results = evaluate(idle, SyncTaskVectorEnv([Counting] * 8), task_set.tasks, task_set.seeds)
    assert played[0] == sum(row.length for row in results)


@pytest.mark.parametrize(("n_tasks", "slots"), [(1, 1), (50, 50), (100, 100), (500, 128)])
def test_all_tasks_of_a_test_set_are_played_at_once(n_tasks: int, slots: int) -> None:
    assert evaluation_slots(n_tasks) == slots


def test_task_sets_depend_on_their_seed_alone() -> None:
    space = StumpTracks.task_space()
    first, again, other = (uniform_tasks(space, 50, seed) for seed in (0, 0, 1))
    assert first.tasks.tolist() == again.tasks.tolist()
    assert first.seeds == again.seeds
    assert first.tasks.tolist() != other.tasks.tolist()
    assert len(set(first.seeds)) == 50


@pytest.mark.parametrize("slots", [1, 3, 20])
def test_a_policy_is_told_where_episodes_begin(slots: int) -> None:
    task_set = uniform_tasks(CountdownEnv().task_space, 20, seed=0)
    told = []

    def policy(observations: Any, episode_starts: Any) -> Any:
        told.append(episode_starts.tolist())
        return idle(observations, episode_starts)

    results = evaluate(policy, SyncTaskVectorEnv([CountdownEnv] * slots), task_set.tasks, task_set.seeds)
    begun = [step for step, starts in enumerate(told) for start in starts if start]
    assert len(begun) == 20
    for slot in range(slots):
        starts = [step for step, flags in enumerate(told) if flags[slot]]
        lengths = {(step, row.length) for step, row in zip(begun, results, strict=True)}
        for start, following in itertools.pairwise(starts):
            assert (start, following - start) in lengths


def test_a_world_that_says_nothing_about_success_is_refused() -> None:
    class Silent(CountdownEnv):
        def step(self, action: Any) -> Any:
            return *super().step(action)[:4], {}

    task_set = uniform_tasks(CountdownEnv().task_space, 2, seed=0)
    with pytest.raises(ValueError, match="no is_success"):
        evaluate(idle, SyncTaskVectorEnv([Silent]), task_set.tasks, task_set.seeds)

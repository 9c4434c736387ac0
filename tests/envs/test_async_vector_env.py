from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs import AsyncTaskVectorEnv, EnvError, StumpTracks, SyncTaskVectorEnv
from chiron.envs.vector.infos import infos_by_slot
from chiron.envs.vector.make_vec import make_vec

from tests.countdown_env import CountdownEnv
from tests.envs.worker_envs import DictEnv, TalkativeEnv, TroubledEnv

HOME = Path(__file__).parents[2]

pytestmark = pytest.mark.medium


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = multiprocessing.active_children()
    yield
    assert [process for process in multiprocessing.active_children() if process not in before] == []


def same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if np.asarray(first).dtype.hasobject:
        return all(a is b is None or same(a, b) for a, b in zip(first, second, strict=True))
    return np.array_equal(first, second)


@pytest.mark.parametrize(
    "n_workers", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(9, marks=pytest.mark.slow)]
)
def test_workers_do_what_the_loop_does_bit_for_bit(n_workers: int) -> None:
    rng = np.random.default_rng(0)
    loop, workers = SyncTaskVectorEnv([StumpTracks] * 5), AsyncTaskVectorEnv([StumpTracks] * 5, n_workers)
    space = StumpTracks.task_space()
    over = np.ones(5, dtype=np.bool_)
    for _ in range(120):
        # Finished slots wait until another one has finished.
        if over.sum() >= 2:
            tasks, seeds = space.sample(rng, 5), rng.integers(1000, size=5).tolist()
            options = {"reset_mask": over, "task": tasks}
            first, second = (envs.reset(seed=seeds, options=options) for envs in (loop, workers))
            assert same(first[0], second[0])
            assert same(first[1], second[1])
        actions = rng.uniform(-1, 1, (5, 4)).astype(np.float32)
        first_step, second_step = loop.step(actions), workers.step(actions)
        for left, right in zip(first_step, second_step, strict=True):
            assert same(left, right)
        over = first_step[2] | first_step[3] | (rng.random(5) < 0.02)
    workers.close()


@pytest.mark.parametrize("make", [SyncTaskVectorEnv, partial(AsyncTaskVectorEnv, n_workers=2)])
def test_infos_stay_as_the_envs_gave_them(make: Any) -> None:
    envs = make([TalkativeEnv] * 2)
    envs.reset(seed=0, options={"task": np.array([[3, 0.5], [2, 0.5]], np.float32)})
    by_slot = infos_by_slot(envs.step(np.zeros((2, 1), np.float32))[4], 2)
    envs.close()
    contacts = [info.pop("contacts").tolist() for info in by_slot]
    assert contacts == [[0, 1], [0]]
    assert by_slot == [{"left 2": {"as": ["it", "is"]}}, {"left 1": {"as": ["it", "is"]}}]


def test_dicts_of_observations_and_discrete_actions() -> None:
    loop, workers = SyncTaskVectorEnv([DictEnv] * 3), AsyncTaskVectorEnv([DictEnv] * 3, 2)
    assert same(loop.reset(seed=4)[0], workers.reset(seed=4)[0])
    for _ in range(5):
        for left, right in zip(
            loop.step(np.array([1, 2, 3])), workers.step(np.array([1, 2, 3])), strict=True
        ):
            assert same(left, right)
    workers.close()


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_slot_whose_episode_is_over_rests_until_it_is_reset(n_workers: int) -> None:
    envs = make_vec(CountdownEnv, 2, n_workers=n_workers)
    tasks, idle = np.array([[1, 0.5], [4, 0.5]], dtype=np.float32), np.zeros((2, 1), dtype=np.float32)
    envs.reset(options={"task": tasks})
    _, rewards, over, _, infos = envs.step(idle)
    assert (rewards.tolist(), over.tolist(), "is_success" in infos) == ([0.5, 0.5], [True, False], True)
    _, rewards, over, _, infos = envs.step(idle)
    assert (rewards.tolist(), over.tolist(), "is_success" in infos) == ([0.0, 0.5], [True, False], False)
    envs.reset(options={"task": tasks, "reset_mask": over})
    _, rewards, over, _, _ = envs.step(idle)
    assert (rewards.tolist(), over.tolist()) == ([0.5, 0.5], [True, False])
    envs.close()


def test_attributes_and_methods_by_slot() -> None:
    workers = AsyncTaskVectorEnv([CountdownEnv] * 3, 2)
    workers.set_attr("poison", [1.0, 2.0, 3.0])
    assert workers.get_attr("poison") == (1.0, 2.0, 3.0)
    assert workers.call("has_wrapper_attr", "poison") == (True, True, True)
    assert workers.get_attr("task_space")[2].columns == ["duration", "worth"]
    workers.close()


def trouble(kind: float, patience: float = 30.0) -> str:
    workers = AsyncTaskVectorEnv([TroubledEnv] * 4, 2, patience)
    tasks = np.array([[10, 0], [10, 0], [10, 0], [kind, 0.5]], dtype=np.float32)
    workers.reset(options={"task": tasks})
    for _ in range(2):
        workers.step(np.zeros((4, 1), dtype=np.float32))
    with pytest.raises(EnvError) as error:
        workers.step(np.zeros((4, 1), dtype=np.float32))
    workers.close()
    return str(error.value)


def test_a_worker_that_dies_is_named_with_exit_code_slots_and_tasks() -> None:
    message = trouble(TroubledEnv.DIE)
    assert "worker 1" in message
    assert "{2: [10.0, 0.0], 3: [2.0, 0.5]}" in message
    assert message.endswith("died with exit code 7")


def test_a_worker_that_hangs_is_named_and_ended() -> None:
    message = trouble(TroubledEnv.HANG, patience=1.0)
    assert "3: [3.0, 0.5]" in message
    assert message.endswith("has not answered for 1 s")


def test_an_env_that_cannot_be_made_is_reported() -> None:
    def fail_elsewhere() -> CountdownEnv:
        if multiprocessing.parent_process() is not None:
            raise LookupError("no such track")
        return CountdownEnv()

    with pytest.raises(EnvError, match="making it raised LookupError: no such track"):
        AsyncTaskVectorEnv([fail_elsewhere] * 2, 1)


@pytest.mark.parametrize(("count", "n_workers", "message"), [(0, 1, "at least one"), (1, 0, "n_workers=0")])
def test_refuses_to_be_empty(count: int, n_workers: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AsyncTaskVectorEnv([CountdownEnv] * count, n_workers)


def test_workers_outlive_a_request_to_stop_and_end_with_a_process_that_leaves_them_open() -> None:
    script = (
        "import os, signal\n"
        "from chiron.envs import AsyncTaskVectorEnv\n"
        "from tests.countdown_env import CountdownEnv\n"
        "if __name__ == '__main__':\n"
        "    workers = AsyncTaskVectorEnv([CountdownEnv] * 2, 2)\n"
        "    for process in workers._processes:\n"
        "        os.kill(process.pid, signal.SIGTERM)\n"
        "    workers.reset()\n"
        "    print(workers.step(workers.action_space.sample())[1].size)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOME, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "2\n"


def test_workers_end_with_a_process_that_is_killed() -> None:
    script = (
        "import os\n"
        "from chiron.envs import AsyncTaskVectorEnv\n"
        "from tests.countdown_env import CountdownEnv\n"
        "if __name__ == '__main__':\n"
        "    workers = AsyncTaskVectorEnv([CountdownEnv] * 2, 2)\n"
        "    print(*(process.pid for process in workers._processes), flush=True)\n"
        "    workers.reset()\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=HOME,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as maker:
        assert maker.stdout is not None
        workers = [int(pid) for pid in maker.stdout.readline().split()]
        assert len(workers) == 2
        maker.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its maker"


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"

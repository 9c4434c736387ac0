from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import stable_baselines3
from chiron.runs import memory
from chiron.runs.memory import (
    require_batch_in_buffer,
    require_room_for_envs,
    require_room_for_episodes,
    require_room_for_network,
    require_room_for_replay,
    require_room_for_rollout,
    require_room_for_tests,
)
from gymnasium import spaces
from numpy.typing import NDArray

from tests.countdown_env import CountdownEnv

OBSERVATIONS, ACTIONS = spaces.Box(-1, 1, (5,), np.float32), spaces.Box(-1, 1, (3,), np.float32)
BYTES_PER_ROW = 2 * 20 + 12 + 12


class Heavy(CountdownEnv):
    """An env that takes ten megabytes."""

    def __init__(self) -> None:
        super().__init__()
        self.ballast = np.ones(10_000_000, dtype=np.uint8)


def student(name: str, **settings: Any) -> partial[Any]:
    return partial(getattr(stable_baselines3, name), "MlpPolicy", **settings)


def have(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: free)


def test_more_worlds_than_fit_are_refused_with_how_many_would(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 10**11)
    require_room_for_envs(Heavy, 9000)
    with pytest.raises(
        ValueError, match=r"n_envs=20000 needs 2\d\d GB .* 100 GB are free: n_envs=9\d\d\d would fit"
    ):
        require_room_for_envs(Heavy, 20_000)


class Loading(CountdownEnv):
    """Takes ten megabytes at the first reset of any instance."""

    loaded: ClassVar[list[NDArray[np.uint8]]] = []

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        if not self.loaded:
            self.loaded.append(np.ones(10_000_000, dtype=np.uint8))
        return super().reset(**arguments)


def test_what_all_worlds_share_counts_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 10**9)
    require_room_for_envs(Loading, 10_000)


def test_a_replay_buffer_that_does_not_fit_is_refused_with_what_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have(monkeypatch, 700 * BYTES_PER_ROW + 1)
    require_room_for_replay(student("SAC", buffer_size=700), OBSERVATIONS, ACTIONS)
    with pytest.raises(ValueError, match=r"buffer_size=701 needs .* kB .*: buffer_size=700 would fit"):
        require_room_for_replay(student("SAC", buffer_size=701), OBSERVATIONS, ACTIONS)
    # The default is the algorithm's own, a million.
    with pytest.raises(ValueError, match="buffer_size=1000000 needs 64 MB"):
        require_room_for_replay(student("TD3"), OBSERVATIONS, ACTIONS)
    require_room_for_replay(student("PPO"), OBSERVATIONS, ACTIONS)


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, None)
    require_room_for_envs(Heavy, 10**9)
    require_room_for_replay(student("SAC", buffer_size=10**12), OBSERVATIONS, ACTIONS)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (student("SAC", buffer_size=101, batch_size=101), "at most the 100 transitions that buffer_size=101"),
        (student("PPO", n_steps=16, batch_size=65), "at most the 64 transitions that n_steps=16 holds of 4"),
    ],
)
def test_a_minibatch_comes_out_of_its_buffer(node: partial[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_batch_in_buffer(node, 4)
    require_batch_in_buffer(partial(node, batch_size=64), 4)


def test_students_without_minibatches_are_left_alone() -> None:
    require_batch_in_buffer(student("A2C"), 4)


def test_this_machine_has_memory() -> None:
    free = memory.free_memory()
    assert free is None or free > 1 << 20


@pytest.mark.parametrize(
    ("groups", "limit", "used", "cache"),
    [
        ("0::/job", "memory.max", "memory.current", "inactive_file"),
        (
            *("3:cpu:/\n5:memory:/job\n0::/", "memory/memory.limit_in_bytes"),
            *("memory/memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_what_a_container_may_use_is_no_more_than_its_limit(
    groups: str, limit: str, used: str, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "groups").write_text(groups)
    folder = (tmp_path / limit).parent
    for place in (folder, folder / "job"):
        place.mkdir(exist_ok=True)
        (place / Path(used).name).write_text("3000000\n")
        (place / "memory.stat").write_text(f"anon 1\n{cache} 1000000\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    for own, of_all, free in (
        ("max", "max", None),
        ("5000000", "max", 3_000_000),
        ("5000000", "4000000", 2_000_000),
    ):
        (folder / "job" / Path(limit).name).write_text(own)
        (folder / Path(limit).name).write_text(of_all)
        assert (memory.free_memory() == free) == (free is not None)


def test_what_a_rollout_tests_and_networks_take_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 10**6)
    space = CountdownEnv().task_space
    require_room_for_tests(1000, space)
    with pytest.raises(ValueError, match=r"^evaluation\.n_tasks=100000 needs 4\.8 MB of memory"):
        require_room_for_tests(100_000, space)
    require_room_for_episodes(10, 100, dim=2)
    with pytest.raises(ValueError, match=r"^--episodes=1000 needs .* --episodes=\d+ would fit"):
        require_room_for_episodes(1000, 100, dim=2)
    require_room_for_rollout(student("PPO", n_steps=1000), OBSERVATIONS, ACTIONS, 8)
    with pytest.raises(ValueError, match=r"^n_steps=10000 needs .* n_steps=\d+ would fit"):
        require_room_for_rollout(student("PPO", n_steps=10_000), OBSERVATIONS, ACTIONS, 8)
    require_room_for_rollout(student("SAC", n_steps=10_000), OBSERVATIONS, ACTIONS, 8)
    for layers in ([64, 64], {"pi": [64], "vf": []}, None):
        require_room_for_network(student("PPO", policy_kwargs={"net_arch": layers}), OBSERVATIONS)
    for layers in ([1000, 1000], {"pi": [64], "qf": [1000, 1000]}):
        with pytest.raises(ValueError, match=r"^policy_kwargs\.net_arch=.* needs 16\.1 MB of memory"):
            require_room_for_network(student("PPO", policy_kwargs={"net_arch": layers}), OBSERVATIONS)

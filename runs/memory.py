"""Rejects settings that would need more memory than this machine has, before allocating any."""

from __future__ import annotations

import contextlib
import inspect
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from ..envs.task_space import TaskSpace
from ..envs.vector.make_vec import make_vec

_MEMINFO = Path("/proc/meminfo")
_GROUPS = Path("/proc/self/cgroup")
_CGROUP = Path("/sys/fs/cgroup")
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Files of a control group with its limit and its use, and the statistic of reclaimable file cache in that
use; for cgroups v2 and v1."""
_CERTAIN = 1000
"""This many envs fit into any machine's memory."""
_FLAGS_BYTES = 12
"""Per stored transition: reward, end and time limit."""
_ROLLOUT_BYTES = 24
"""Per rollout step: reward, start, value, log probability, advantage and return."""
_TEST_BYTES = 40
"""Per test task: at least its seed and result."""
_EPISODE_BYTES = 300
"""Per evaluation episode: its seed, and its row before it is added to a table."""
_WEIGHT_BYTES = 16
"""Per weight: its value, gradient and Adam's two moments."""


def require_room_for_envs(make_env: Callable[[], gym.Env[Any, Any]], n_envs: int) -> None:
    """Check that the envs fit into memory.

    Args:
        make_env: Makes an env.
        n_envs: Number of envs.

    Raises:
        ValueError: If they do not; gives what they need, what is free, and how many would fit.
    """
    # The memory of an env is measured only if it could matter.
    if free_memory() is None or n_envs <= _CERTAIN:
        return
    _require_room("n_envs", n_envs, _bytes_of(make_env))


def require_room_for_tests(n_tasks: int, space: TaskSpace) -> None:
    """Check that the test tasks fit into memory.

    Args:
        n_tasks: Number of test tasks.
        space: The task space they are drawn from.

    Raises:
        ValueError: If they do not; gives what they need, what is free, and how many would fit.
    """
    _require_room("evaluation.n_tasks", n_tasks, 4 * space.dim + _TEST_BYTES)


def require_room_for_episodes(episodes: int, n_tasks: int, dim: int) -> None:
    """Check that the episodes of an evaluation fit into memory.

    Args:
        episodes: Episodes per task.
        n_tasks: Number of tasks.
        dim: Number of task parameters.

    Raises:
        ValueError: If they do not; gives what they need, what is free, and how many would fit.
    """
    _require_room("--episodes", episodes, n_tasks * (4 * dim + _EPISODE_BYTES))


def require_room_for_replay(
    algorithm: partial[Any], observations: spaces.Space[Any], actions: spaces.Space[Any]
) -> None:
    """Check that a student's replay buffer, if it has one, fits into memory.

    Args:
        algorithm: Makes the student's algorithm.
        observations: Observation space of one env.
        actions: Action space of one env.

    Raises:
        ValueError: If it does not; gives what it needs, what is free, and what would fit.
    """
    bytes_per_row = 2 * _bytes_in(observations) + _bytes_in(actions) + _FLAGS_BYTES
    _require_room("buffer_size", _setting(algorithm, "buffer_size"), bytes_per_row)


def require_room_for_rollout(
    algorithm: partial[Any], observations: spaces.Space[Any], actions: spaces.Space[Any], n_envs: int
) -> None:
    """Check that a student's rollout buffer, if it has one, fits into memory.

    Args:
        algorithm: Makes the student's algorithm.
        observations: Observation space of one env.
        actions: Action space of one env.
        n_envs: Number of training envs.

    Raises:
        ValueError: If it does not; gives what it needs, what is free, and what would fit.
    """
    if _setting(algorithm, "buffer_size") is None:
        bytes_per_row = _bytes_in(observations) + _bytes_in(actions) + _ROLLOUT_BYTES
        _require_room("n_steps", _setting(algorithm, "n_steps"), n_envs * bytes_per_row)


def require_room_for_network(algorithm: partial[Any], observations: spaces.Space[Any]) -> None:
    """Check that the layers of a student's networks fit into memory, including Adam's state.

    Args:
        algorithm: Makes the student's algorithm.
        observations: Observation space of one env.

    Raises:
        ValueError: If they do not; gives what they need and what is free.
    """
    layers = (algorithm.keywords.get("policy_kwargs") or {}).get("net_arch") or []
    free = free_memory()
    inputs = _bytes_in(observations) // 4
    for sizes in layers.values() if isinstance(layers, Mapping) else [layers]:
        needed = _WEIGHT_BYTES * sum(
            before * units for before, units in zip([inputs, *sizes], sizes, strict=False)
        )
        if free is not None and needed > free:
            raise ValueError(
                f"policy_kwargs.net_arch={layers} needs {_shown(needed)} of memory, and {_shown(free)} "
                "are free"
            )


def require_batch_in_buffer(algorithm: partial[Any], n_envs: int) -> None:
    """Check that a minibatch is no larger than the buffer it is drawn from.

    Args:
        algorithm: Makes the student's algorithm.
        n_envs: Number of training envs.

    Raises:
        ValueError: If a minibatch is larger than the replay buffer or the rollout that it is drawn from.
    """
    batch, size, steps = (_setting(algorithm, name) for name in ("batch_size", "buffer_size", "n_steps"))
    if size is not None:
        rows, holder = max(size // n_envs, 1) * n_envs, f"buffer_size={size}"
    elif steps is not None:
        rows, holder = steps * n_envs, f"n_steps={steps}"
    if batch is not None and (size, steps) != (None, None) and batch > rows:
        raise ValueError(
            f"batch_size={batch} must be at most the {rows} transitions that {holder} holds of {n_envs} "
            "environments"
        )


def _setting(algorithm: partial[Any], name: str) -> int | None:
    """The value or default of an algorithm's numeric argument; None if it has no such argument."""
    own = inspect.signature(algorithm.func).parameters.get(name)
    value = algorithm.keywords.get(name, own and own.default)
    return value if isinstance(value, int) else None


def _require_room(key: str, count: int | None, bytes_each: int) -> None:
    free = free_memory()
    if free is not None and count is not None and count * bytes_each > free:
        raise ValueError(
            f"{key}={count} needs {_shown(count * bytes_each)} of memory, {_shown(bytes_each)} for each, and "
            f"{_shown(free)} are free: {key}={free // bytes_each} would fit"
        )


def free_memory() -> int | None:
    """Bytes available without swapping, within the limits of a container or a batch job.

    Returns:
        The number; None if the system does not report it.
    """
    if not _MEMINFO.exists():
        return None
    lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
    return min([1024 * int(lines["MemAvailable"].split()[0]), *_free_in_groups()])


def _free_in_groups() -> Iterator[int]:
    """Memory left in each control group of this process that limits memory (cgroups(7))."""
    for line in _GROUPS.read_text().splitlines() if _GROUPS.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = _CGROUP / controllers
        limit, used, cache = _FILES[controllers]
        # In a container the process's own group may be mounted as the root.
        own = root / path.lstrip("/")
        for group in {own, *own.parents} if own.is_dir() else {root}:
            with contextlib.suppress(OSError, ValueError):  # no limit here ("max"), or none to read
                counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                in_use = int((group / used).read_text()) - int(counts[cache])
                yield max(int((group / limit).read_text()) - in_use, 0)


def _bytes_of(make_env: Callable[[], gym.Env[Any, Any]]) -> int:
    """Memory of one more env in Python and NumPy, which is a lower bound."""
    few = make_vec(make_env, 2)
    few.reset(seed=0)  # things loaded once, such as compiled code, do not count per env
    tracemalloc.start()
    more = make_vec(make_env, 10)
    more.reset(seed=0)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    few.close()
    more.close()
    return max(taken // 10, 1)


def _bytes_in(space: spaces.Space[Any]) -> int:
    """Bytes of one element; spaces without a shape count as one number."""
    parts = list(space.spaces.values()) if isinstance(space, spaces.Dict) else [space]
    return sum(
        int(np.prod(part.shape or ())) * (part.dtype or np.dtype(np.float32)).itemsize for part in parts
    )


def _shown(count: int) -> str:
    power = min((len(str(count)) - 1) // 3, 6)
    return f"{count / 1000**power:,.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"

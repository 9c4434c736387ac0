"""Refusing what would not fit into this machine's memory, before it is tried."""

from __future__ import annotations

import inspect
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from ..envs.vector.make_vec import make_vec

_MEMINFO = Path("/proc/meminfo")
_CERTAIN = 1000
"""So many envs fit anywhere."""
_FLAGS_BYTES = 12
"""Reward, end and time limit of a stored transition."""


def require_room_for_envs(make_env: Callable[[], gym.Env[Any, Any]], n_envs: int) -> None:
    """Make sure that so many envs fit into memory.

    Args:
        make_env: Makes one.
        n_envs: How many.

    Raises:
        ValueError: If they do not: what they need, what is free, and how many would fit.
    """
    free = free_memory()
    # What an env takes is only looked at where it could matter.
    if free is None or n_envs <= _CERTAIN:
        return
    bytes_per_env = _bytes_of(make_env)
    if n_envs * bytes_per_env > free:
        raise ValueError(
            f"n_envs={n_envs} needs {_shown(n_envs * bytes_per_env)} of memory, {_shown(bytes_per_env)} "
            f"for each env, and {_shown(free)} are free: n_envs={free // bytes_per_env} would fit"
        )


def require_room_for_replay(
    algorithm: partial[Any], observations: spaces.Space[Any], actions: spaces.Space[Any]
) -> None:
    """Make sure that a student's replay buffer, if it has one, fits into memory.

    Args:
        algorithm: Makes the student's algorithm.
        observations: One env's space.
        actions: One env's space.

    Raises:
        ValueError: If it does not: what it needs, what is free, and what would fit.
    """
    size, free = _setting(algorithm, "buffer_size"), free_memory()
    if size is None or free is None:
        return
    bytes_per_row = 2 * _bytes_in(observations) + _bytes_in(actions) + _FLAGS_BYTES
    if size * bytes_per_row > free:
        raise ValueError(
            f"buffer_size={size} needs {_shown(size * bytes_per_row)} of memory, and {_shown(free)} are "
            f"free: buffer_size={free // bytes_per_row} would fit"
        )


def require_batch_in_buffer(algorithm: partial[Any], n_envs: int) -> None:
    """Make sure that there can be as many transitions as a minibatch has.

    Args:
        algorithm: Makes the student's algorithm.
        n_envs: How many envs it plays in.

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
    """A number that an algorithm is given or has as default; None if it takes none."""
    own = inspect.signature(algorithm.func).parameters.get(name)
    value = algorithm.keywords.get(name, own and own.default)
    return value if isinstance(value, int) else None


def free_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    if not _MEMINFO.exists():
        return None
    lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
    return 1024 * int(lines["MemAvailable"].split()[0])


def _bytes_of(make_env: Callable[[], gym.Env[Any, Any]]) -> int:
    """What one more env takes in Python and NumPy, which is a lower bound."""
    few = make_vec(make_env, 2)
    few.reset(seed=0)  # what is loaded once, compiled code above all, belongs to no single env
    tracemalloc.start()
    more = make_vec(make_env, 10)
    more.reset(seed=0)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    few.close()
    more.close()
    return max(taken // 10, 1)


def _bytes_in(space: spaces.Space[Any]) -> int:
    """Bytes of one element; of spaces without a shape one number."""
    parts = list(space.spaces.values()) if isinstance(space, spaces.Dict) else [space]
    return sum(
        int(np.prod(part.shape or ())) * (part.dtype or np.dtype(np.float32)).itemsize for part in parts
    )


def _shown(count: int) -> str:
    power = min((len(str(count)) - 1) // 3, 4)
    return f"{count / 1000**power:,.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"

"""Many envs as one vector env, stepped in the fastest way available."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from gymnasium.vector import VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker

from .action_repeat import ActionRepeat
from .async_vector_env import AsyncTaskVectorEnv
from .batchable_env import BatchableEnv
from .sync_vector_env import EnvFn, SyncTaskVectorEnv

_log = logging.getLogger(__name__)


def make_vec(
    env_fns: EnvFn | Sequence[EnvFn], n: int | None = None, *, n_workers: int = 0
) -> VectorEnv[Any, Any, Any]:
    """Many envs as one vector env without autoreset, whose `reset` gives each slot its own task.

    Batchable envs that are all alike, such as walkers whose `engine` is "batched" or "cuda", are stepped
    together, whichever functions make them. Other envs are stepped one by one, in this process or in worker
    processes. The results are the same. A log message of level INFO says what was chosen, and why.

    Args:
        env_fns: One function per slot, each making a new env, or one for all slots.
        n: Number of slots, if `env_fns` is one function.
        n_workers: Number of worker processes, 0 for this process; for a batch, the number of threads.

    Raises:
        ValueError: If there are no slots, or `n` is missing or contradicts `env_fns`.
        EnvError: If a worker process cannot make its envs.
    """
    if callable(env_fns):
        if n is None:
            raise ValueError("make_vec needs n, the number of slots, if env_fns is one function")
        env_fns = [env_fns] * n
    elif n not in (None, len(env_fns)):
        raise ValueError(f"n={n} must be the number of env_fns, {len(env_fns)}, or be left out")
    if not env_fns:
        raise ValueError("make_vec needs at least one env, got none")
    envs = _in_a_batch(env_fns, max(1, n_workers))
    if envs is not None:
        return envs
    if n_workers:
        _log.info("%d envs are stepped in %d worker processes", len(env_fns), min(n_workers, len(env_fns)))
        return AsyncTaskVectorEnv(env_fns, n_workers)
    _log.info("%d envs are stepped one after another in this process", len(env_fns))
    return SyncTaskVectorEnv(env_fns)


def vector_entry_point(
    make_env: Callable[..., BatchableEnv], num_envs: int, n_threads: int = 1, **arguments: Any
) -> VectorEnv[Any, Any, Any]:
    """Called by `gymnasium.make_vec` for the batchable envs of this package.

    Args:
        make_env: The class of the env.
        num_envs: Number of slots.
        n_threads: Number of threads that step them.
        arguments: Arguments of the class.
    """
    return make_env(**arguments).batch(num_envs, n_threads)


def _in_a_batch(env_fns: Sequence[EnvFn], n_threads: int) -> VectorEnv[Any, Any, Any] | None:
    """The envs in one batch; None if they are not batchable or not alike."""
    first, repeat = _batchable_in(env_fns[0])
    if first is None:
        return None
    generators = [first._np_random]
    # A function that resets its envs, as is usual to give each its own seed, leaves each slot a generator to
    # continue with. A function that does not is not called again.
    if first._np_random is not None or any(env_fn is not env_fns[0] for env_fn in env_fns):
        for slot, env_fn in enumerate(env_fns[1:], 1):
            other, other_repeat = _batchable_in(env_fn)
            if other is None or other_repeat != repeat or not first.is_like(other):
                _log.info("slots 0 and %d differ, so they cannot be stepped together", slot)
                return None
            generators.append(other._np_random)
    envs: Any = first.batch(len(env_fns), n_threads, repeat)
    _log.info("%d envs are stepped together by %s", len(env_fns), type(envs).__name__)
    envs.generators[: len(generators)] = generators
    return cast(VectorEnv[Any, Any, Any], envs)


def _batchable_in(env_fn: EnvFn) -> tuple[BatchableEnv | None, int]:
    """The env that a function makes, if it is batchable, and how often an action is played."""
    env = env_fn()
    repeat, inner = 1, cast(Any, env)
    if type(inner) is ActionRepeat:
        repeat, inner = inner.times, inner.env
    # The wrappers of `gymnasium.make` do not change an env.
    while type(inner) in (OrderEnforcing, PassiveEnvChecker):
        inner = inner.env
    if isinstance(inner, BatchableEnv) and inner.is_batchable:
        return inner, repeat
    env.close()
    return None, repeat

"""What every env must do, as checks that anyone can run on an env of their own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from .env_info import env_info
from .task_space import RESERVED_NAMES
from .vector.sync_vector_env import EnvFn

_STEPS = 200
_MOST_STEPS = 100_000

_ADVICE = (
    "env.spec",  # to envs that were not made by gymnasium.make
    "different from the unwrapped version",  # to wrappers around an env of somebody else
    "infinity",  # on the spaces of such an env
    "symmetric and normalized",
)
"""What Gymnasium's and Stable-Baselines3's checkers say that is no objection."""


class BrokenContractError(ValueError):
    """An env does not do what every env must do."""


def check_env(make_env: EnvFn) -> None:
    """Check that an env keeps the contract that teachers, students and evaluations rely on.

    Args:
        make_env: Makes the env: its class, or a function without arguments.

    Raises:
        BrokenContractError: Saying what is broken.
    """
    for check in CHECKS:
        check(make_env)


def ignore_advice() -> None:
    """Turn warnings into errors, but for advice; to be called within `warnings.catch_warnings()`."""
    warnings.simplefilter("error")
    for message in _ADVICE:
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def is_a_gymnasium_env(make_env: EnvFn) -> None:
    """Gymnasium's own checker must have nothing against it."""
    with warnings.catch_warnings():
        ignore_advice()
        try:
            gymnasium_check_env(make_env(), skip_render_check=True)
        except (AssertionError, Warning) as error:
            raise BrokenContractError(f"Gymnasium's checker objects: {error}") from error


def declares_tasks_and_returns(make_env: EnvFn) -> None:
    """`task_space` and `return_range` must be there; a `mastered_return` must lie in the range."""
    try:
        info = env_info(make_env())
    except ValueError as error:
        raise BrokenContractError(str(error)) from error
    _require(info.return_range is not None, "return_range must be the lowest and the highest return")


def takes_vectors_and_dicts(make_env: EnvFn) -> None:
    """A task must mean the same as a vector and as a dict, and stand in the info of `reset`."""
    env = make_env()
    space = env_info(env).task_space
    task = space.sample(np.random.default_rng(0))
    _require(
        _same(_play(env, 0, task), _play(env, 0, space.to_dict(task))),
        f"a task as a vector and as a dict play differently: {space.to_dict(task)}",
    )
    info = env.reset(seed=0, options={"task": space.to_dict(task)})[1]
    _require(np.array_equal(info.get("task", ()), task), "the info of reset must have the task as a vector")


def refuses_other_tasks(make_env: EnvFn) -> None:
    """What is not in the task space must not be played."""
    env = make_env()
    space, unknown = env_info(env).task_space, next(iter(RESERVED_NAMES))
    for task in (space.high + 1, space.low - 1, {unknown: 1.0}):
        try:
            env.reset(options={"task": task})
        except ValueError:
            continue
        raise BrokenContractError(f"task {task} is not in the task space, yet reset takes it")


def forgets_earlier_episodes(make_env: EnvFn) -> None:
    """An episode must depend on task, seed and actions alone, bit for bit."""
    used = make_env()
    space, rng = env_info(used).task_space, np.random.default_rng(0)
    for seed, task in enumerate(space.sample(rng, 3)):
        _play(used, 10 + seed, space.sample(rng))
        _require(
            _same(_play(make_env(), seed, task), _play(used, seed, task)),
            f"an episode in task {task.tolist()} with seed {seed} depends on what was played before it",
        )


def says_whether_it_was_mastered(make_env: EnvFn) -> None:
    """Episodes must end, and the info of the last step, and no other, must have `is_success`."""
    env = make_env()
    env.reset(seed=0)
    action = np.zeros_like(env.action_space.sample())
    for _ in range(_MOST_STEPS):
        *_, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        _require(
            ("is_success" in info) == over, "is_success must be in the info of the last step, and no other"
        )
        if over:
            return
    raise BrokenContractError(f"an episode without action does not end within {_MOST_STEPS} steps")


CHECKS: tuple[Callable[[EnvFn], None], ...] = (
    declares_tasks_and_returns,
    is_a_gymnasium_env,
    takes_vectors_and_dicts,
    refuses_other_tasks,
    forgets_earlier_episodes,
    says_whether_it_was_mastered,
)


def _require(is_met: bool, otherwise: str) -> None:
    if not is_met:
        raise BrokenContractError(otherwise)


def _play(env: gym.Env[Any, Any], seed: int, task: Any) -> list[Any]:
    """Everything seen in an episode of random actions that depend on nothing but the seed."""
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed, options={"task": task})
    seen = [observation]
    for _ in range(_STEPS):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        seen += [observation, reward]
        if terminated or truncated:
            break
    return seen


def _same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(_equal(a, b) for a, b in zip(first, second, strict=True))


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    return np.array_equal(first, second)

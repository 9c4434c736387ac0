"""Checks of the contract that every env must fulfil, which users can run on their own envs."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector.utils import concatenate, create_empty_array

from .env_info import env_info
from .long_episodes import REMEDY, LongEpisodes
from .task_space import RESERVED_NAMES
from .vector.sync_vector_env import EnvFn

_STEPS = 200
_MOST_STEPS = 100_000

_ADVICE = (
    "env.spec",  # to envs that were not made by gymnasium.make
    "different from the unwrapped version",  # to wrappers around third-party envs
    "infinity",  # on the spaces of such an env
    "symmetric and normalized",
    "alternative render modes",  # which are not tested here
    # Advice on images, which all students except those with a CnnPolicy treat as numbers.
    *("apparently an image", "unconventional shape", "minimal resolution", "is an image but"),
)
"""Advice of Gymnasium's and Stable-Baselines3's checkers that does not concern users of Chiron."""


class BrokenContractError(ValueError):
    """An env breaks the contract that every env must fulfil."""


def check_env(make_env: EnvFn) -> None:
    """Check that an env fulfils the contract that teachers, students and evaluations rely on.

    Warnings of Gymnasium's checker remain warnings.

    Args:
        make_env: Makes the env: its class, or a function without arguments.

    Raises:
        BrokenContractError: If a check fails, with what is broken.
    """
    for check in CHECKS:
        check_that(check, make_env)


def check_that(check: Check, make_env: EnvFn) -> None:
    """Run one check on an env.

    Args:
        check: Raises an exception if the env does not do what it should.
        make_env: Makes the env.

    Raises:
        BrokenContractError: If the check or the env raises anything, with what is broken.
    """
    with warnings.catch_warnings():
        for message in _ADVICE:
            warnings.filterwarnings("ignore", message=f".*{message}.*")
        try:
            check(make_env)
        except BrokenContractError:
            raise
        except Exception as error:  # third-party code may raise anything
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = " ".join(str(error).split())
            raise BrokenContractError(
                f"{check.__name__.replace('_', ' ')}: {type(error).__name__}: {what} "
                f"({where.filename}, line {where.lineno})"
            ) from error


def is_a_gymnasium_env(make_env: EnvFn) -> None:
    """Gymnasium's own checker must pass."""
    try:
        gymnasium_check_env(make_env(), skip_render_check=True)
    except (AssertionError, gym.error.Error) as error:
        raise BrokenContractError(f"Gymnasium's checker objects: {' '.join(str(error).split())}") from error


def declares_tasks_and_returns(make_env: EnvFn) -> None:
    """`task_space` and `return_range` must be declared; a `mastered_return` must lie in the range."""
    try:
        info = env_info(make_env())
    except ValueError as error:
        raise BrokenContractError(str(error)) from error
    _require(info.return_range is not None, "return_range must be the lowest and the highest return")


def takes_vectors_and_dicts(make_env: EnvFn) -> None:
    """A task must mean the same as a vector and as a dict, and be in the info of `reset`."""
    env = make_env()
    space = env_info(env).task_space
    task = space.sample(np.random.default_rng(0))
    _require(
        _same(_play(env, 0, task), _play(env, 0, space.to_dict(task))),
        f"a task as a vector and as a dict play differently: {space.shown(task)}",
    )
    info = env.reset(seed=0, options={"task": space.to_dict(task)})[1]
    _require(
        np.array_equal(info.get("task", ()), space.rounded(task)),
        f"the info of reset must have the task that is played as a vector, {space.rounded(task).tolist()}",
    )


def refuses_other_tasks(make_env: EnvFn) -> None:
    """Tasks outside the task space must be rejected."""
    env = make_env()
    space, unknown = env_info(env).task_space, next(iter(RESERVED_NAMES))
    for task in (space.high + 1, space.low - 1, {unknown: 1.0}):
        try:
            env.reset(options={"task": task})
        except ValueError:
            continue
        raise BrokenContractError(f"task {task} is not in the task space, yet reset takes it")


def forgets_earlier_episodes(make_env: EnvFn) -> None:
    """An episode must depend only on task, seed and actions, bit for bit."""
    used = make_env()
    space, rng = env_info(used).task_space, np.random.default_rng(0)
    for seed, task in enumerate(space.sample(rng, 3)):
        _play(used, 10 + seed, space.sample(rng))
        first, again, later = (_play(env, seed, task) for env in (make_env(), make_env(), used))
        episode = f"an episode in task ({space.shown(task)}) with seed {seed}"
        _require(_same(first, again), f"{episode} differs from env to env: it draws numbers of its own")
        _require(_same(first, later), f"{episode} depends on what was played before it")


def says_whether_it_was_mastered(make_env: EnvFn) -> None:
    """Episodes must end, and the info of the last step, and of no other, must have `is_success`."""
    env = make_env()
    env.reset(seed=0)
    env.action_space.seed(0)
    long = LongEpisodes(env)
    for step in range(_MOST_STEPS):
        long.watch(step, env_info(env).task_space.default, seed=0)
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
        _require(
            ("is_success" in info) == over, "is_success must be in the info of the last step, and no other"
        )
        if over:
            return
    raise BrokenContractError(
        f"an episode of random actions does not end within {_MOST_STEPS:,} steps: {REMEDY}"
    )


Check = Callable[[EnvFn], None]

CHECKS: tuple[Check, ...] = (
    declares_tasks_and_returns,
    is_a_gymnasium_env,
    forgets_earlier_episodes,
    takes_vectors_and_dicts,
    refuses_other_tasks,
    says_whether_it_was_mastered,
)


def _require(is_met: bool, otherwise: str) -> None:
    if not is_met:
        raise BrokenContractError(otherwise)


def _play(env: gym.Env[Any, Any], seed: int, task: Any) -> list[Any]:
    """Observations and rewards of an episode of random actions that depend only on the seed."""
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed, options={"task": task})
    batch: Any = create_empty_array(env.observation_space, 1)
    seen = [observation]
    for _ in range(_STEPS):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        try:
            concatenate(env.observation_space, [observation], batch)
        except ValueError as error:
            raise BrokenContractError(
                f"an observation has another shape than {env.observation_space}: {error}"
            ) from error
        seen += [observation, reward]
        if terminated or truncated:
            break
    return seen


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(_same, first, second))
    return np.array_equal(first, second)

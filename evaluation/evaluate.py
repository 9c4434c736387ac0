"""Evaluates a policy on given tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from ..envs.env_info import env_info
from ..envs.finite import require_finite
from ..envs.long_episodes import LongEpisodes
from ..envs.task_space import Task

_MOST_SLOTS = 128
"""Most envs that are worth their memory."""

Policy = Callable[[Any, Any], Any]
"""Maps observations, and whether each is the first of an episode, to actions.

Called with an observation and a bool for one env, or with a batch and a boolean array of shape (n,) for
several. Other inputs of an algorithm (recurrent state, action masks) are handled by the policy itself.
"""


@dataclass(frozen=True)
class TaskResult:
    """The result of one episode of a task."""

    task_index: int
    task: Task
    episode_return: float
    length: int
    mastered: bool


def evaluation_slots(n_tasks: int) -> int:
    """Number of envs in which a test set is played: one per task, up to a limit.

    It depends on nothing else, because the batch size affects the rounding of a policy's actions.
    """
    return min(n_tasks, _MOST_SLOTS)


def evaluate(
    policy: Policy, envs: VectorEnv[Any, Any, Any], tasks: Task, seeds: Sequence[int]
) -> list[TaskResult]:
    """Play one episode of each task, in all envs in parallel.

    The same policy, tasks and seeds give the same rows if policy and envs are deterministic.

    Args:
        policy: Chooses actions.
        envs: A vector env without autoreset whose slots rest once their episode is over, as made by
            `envs.make_vec`.
        tasks: Tasks, shape (m, d).
        seeds: One per task.

    Returns:
        One row per task, in the order of `tasks`.

    Raises:
        ValueError: If an episode ends without the env reporting its success.
        NotFiniteError: If an observation, an action or a reward is not finite.
    """
    slots = envs.num_envs
    # All slots must be reset once: surplus slots repeat tasks, and their results are not counted.
    playing = np.arange(slots) % len(tasks)
    waiting = iter(range(slots, len(tasks)))
    counted = np.arange(slots) < len(tasks)
    returns, lengths = np.zeros(slots), np.zeros(slots, dtype=np.int64)
    results: dict[int, TaskResult] = {}

    def check_finite(what: str, values: Any) -> None:
        require_finite(what, values, episode_of)

    def episode_of(slot: int) -> str:
        task = env_info(envs).task_space.shown(tasks[playing[slot]])
        return f"after {lengths[slot]} steps in test task ({task}) with seed {seeds[playing[slot]]}"

    starting = np.ones(slots, dtype=np.bool_)
    long = LongEpisodes(envs)
    while len(results) < len(tasks):
        begun = starting.copy()
        if starting.any():
            observations, _ = envs.reset(
                seed=[seeds[index] for index in playing.tolist()],  # type: ignore[arg-type]  # one per slot
                options={"reset_mask": starting, "task": tasks[playing]},
            )
            returns[starting] = lengths[starting] = 0
            starting[:] = False
            check_finite("observation", observations)
        actions = policy(observations, begun)
        if np.asarray(actions).dtype.kind == "f":
            check_finite("action", actions)
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        check_finite("observation", observations)
        check_finite("reward", rewards)
        returns += rewards
        lengths += 1
        longest = int((lengths * counted).argmax())
        long.watch(int(lengths[longest]), tasks[playing[longest]], seeds[playing[longest]])
        ended = (terminated | truncated) & counted
        if not (infos.get("_is_success", False) | ~ended).all():
            raise ValueError("mastery cannot be judged: the env's last info holds no is_success")
        for slot in np.flatnonzero(ended).tolist():
            index = int(playing[slot])
            results[index] = TaskResult(
                index,
                tasks[index],
                float(returns[slot]),
                int(lengths[slot]),
                bool(infos["is_success"][slot]),
            )
            following = next(waiting, None)
            counted[slot] = starting[slot] = following is not None
            if following is not None:
                playing[slot] = following
    return [results[index] for index in range(len(tasks))]

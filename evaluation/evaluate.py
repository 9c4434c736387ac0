"""How a policy fares on given tasks."""

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
"""Envs that are worth the memory they take."""

Policy = Callable[[Any, Any], Any]
"""From the observations of some envs, and which of them begin an episode, to the actions.

Either for one env, an observation and a bool, or for several, a batch and a boolean array of shape (n,). What
an algorithm takes beside observations (recurrent state, action masks) the policy keeps or finds out itself.
"""


@dataclass(frozen=True)
class TaskResult:
    """How one episode of a task went."""

    task_index: int
    task: Task
    episode_return: float
    length: int
    mastered: bool


def evaluation_slots(n_tasks: int) -> int:
    """In how many envs a test set is played: all its tasks at once, up to a limit.

    It depends on nothing else, since the size of a batch changes the rounding of a policy's actions.
    """
    return min(n_tasks, _MOST_SLOTS)


def evaluate(
    policy: Policy, envs: VectorEnv[Any, Any, Any], tasks: Task, seeds: Sequence[int]
) -> list[TaskResult]:
    """Play one episode of each task, as many at once as there are envs.

    The same policy, tasks and seeds give the same rows, if policy and envs are deterministic.

    Args:
        policy: Chooses actions.
        envs: Where to play: a vector env without autoreset whose slots rest once their episode is over,
            as `envs.make_vec` makes it.
        tasks: Shape (m, d).
        seeds: One per task.

    Returns:
        One row per task, in the order of `tasks`.

    Raises:
        ValueError: If an episode ends without the env saying whether it was a success.
        NotFiniteError: If an observation, an action or a reward is not finite.
    """
    slots = envs.num_envs
    # All slots have to be reset once: those in excess repeat tasks for which other slots are counted.
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

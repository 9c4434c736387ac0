"""How a policy fares on given tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from envs.task_space import Task

EVALUATION_SLOTS = 16
"""Worlds that test tasks are played in; a constant, so that batches and their rounding never change."""

Policy = Callable[[Any], Any]
"""From a batch of observations to a batch of actions."""


@dataclass(frozen=True)
class TaskResult:
    """How one episode of a task went."""

    task_index: int
    task: Task
    episode_return: float
    length: int
    mastered: bool


def evaluate(
    policy: Policy, worlds: VectorEnv[Any, Any, Any], tasks: Task, seeds: Sequence[int]
) -> list[TaskResult]:
    """Play one episode of each task, as many at once as there are worlds.

    The same policy, tasks and seeds give the same rows, if policy and worlds are deterministic.

    Args:
        policy: Chooses actions.
        worlds: Where to play: a vector env without autoreset, as for `students.CurriculumVecEnv`.
        tasks: Shape (m, d).
        seeds: One per task.

    Returns:
        One row per task, in the order of `tasks`.

    Raises:
        ValueError: If an episode ends without the world saying whether it was a success.
    """
    slots = worlds.num_envs
    # A slot that runs out of tasks repeats the last one it was given: all slots must be stepped.
    playing = np.arange(slots) % len(tasks)
    waiting = iter(range(slots, len(tasks)))
    counted = np.arange(slots) < len(tasks)
    returns, lengths = np.zeros(slots), np.zeros(slots, dtype=np.int64)
    results: dict[int, TaskResult] = {}

    over = np.ones(slots, dtype=np.bool_)
    while True:
        observations, _ = worlds.reset(
            seed=[seeds[index] for index in playing.tolist()],  # type: ignore[arg-type]  # one per slot
            options={"reset_mask": over, "task": tasks[playing]},
        )
        over[:] = False
        while not over.any():
            observations, rewards, terminated, truncated, infos = worlds.step(policy(observations))
            returns += rewards
            lengths += 1
            over = terminated | truncated
        if "is_success" not in infos:
            raise ValueError("mastery cannot be judged: the world's last info holds no is_success")
        for slot in np.flatnonzero(over).tolist():
            index = int(playing[slot])
            if counted[slot]:
                results[index] = TaskResult(
                    index,
                    tasks[index],
                    float(returns[slot]),
                    int(lengths[slot]),
                    bool(infos["is_success"][slot]),
                )
            following = next(waiting, None)
            counted[slot] = following is not None
            if following is not None:
                playing[slot] = following
            returns[slot] = lengths[slot] = 0
        if len(results) == len(tasks):
            return [results[index] for index in range(len(tasks))]

"""Evaluates the student of a run on a named test set after training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import pandas as pd

from ..envs.task_space import TaskSpace
from ..envs.vector.action_repeat import repeat_actions
from ..envs.vector.make_vec import make_vec
from ..envs.vector.sync_vector_env import EnvFn
from ..envs.walkers.open_ended_test_envs import OpenEndedTestEnvs
from ..envs.walkers.open_ended_tracks import TEST_ENVS
from ..envs.walkers.walker_env import WalkerEnv
from ..evaluation.evaluate import evaluate, evaluation_slots
from ..evaluation.named_test_sets import (
    OPEN_ENDED,
    RECIPES,
    open_ended_task_set,
    read_task_set,
    shipped_task_set,
    with_episodes,
)
from ..evaluation.task_sets import TaskSet
from .blaming import blaming
from .checked_files import require_inside
from .evaluation_arguments import SHIPPED, require_evaluation
from .memory import require_room_for_episodes
from .trained_student import TrainedStudent
from .whole_files import replacing


def evaluate_run(
    student: TrainedStudent, make_env: EnvFn, test_set: str = "uniform", episodes: int = 1, n_workers: int = 0
) -> tuple[str, pd.DataFrame]:
    """Evaluate the student of a run on a test set, and save the episodes in the run directory.

    Args:
        student: The student of a run.
        make_env: Makes an env like the one it was trained in.
        test_set: "uniform", "grid", "open_ended" or the path of a CSV file; see `docs/comparing.md`.
        episodes: Seeded episodes per task.
        n_workers: Processes that step the envs; 0 for none.

    Returns:
        The versioned name of the test set, and one row per episode; `RunDirectory.read_test_set` reads them.

    Raises:
        ValueError: If there is no such run or test set, or the run's env does not fit the test set.
    """
    require_evaluation(test_set, episodes, n_workers)
    directory = student.directory
    with blaming(f"run={directory.path}"):
        env = make_env()
    if test_set == "open_ended":
        if not isinstance(env.unwrapped, WalkerEnv):
            raise ValueError(f"--on open_ended is for walkers, and this student plays {env.unwrapped}")
        make_env = partial(OpenEndedTestEnvs, body=env.unwrapped.body)
        name, tasks = OPEN_ENDED, open_ended_task_set()
    else:
        name, tasks = _find_task_set(test_set, env.get_wrapper_attr("task_space"))
    require_room_for_episodes(episodes, len(tasks), tasks.tasks.shape[1])
    rows = _play(student, make_env, with_episodes(tasks, episodes), episodes, n_workers)
    if test_set == "open_ended":
        rows["test_env"] = rows["test_env"].map(lambda index: list(TEST_ENVS)[int(index)])
    rows.insert(0, "step", student.steps)
    if student.is_best:
        name = f"best_{name}"
    path = directory.test_set_rows(name)
    require_inside(path.parent, directory.path)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as file:
        rows.to_csv(file, index=False)
    directory.record(path)
    return name, rows


def _find_task_set(wanted: str, space: TaskSpace) -> tuple[str, TaskSet]:
    path = Path(wanted)
    if wanted in SHIPPED:
        return shipped_task_set(wanted, space)
    if path.stem in RECIPES:
        raise ValueError(f"--on {wanted} has the name of one of Chiron's own test sets: rename the file")
    return path.stem, read_task_set(path, space)


def _play(
    student: TrainedStudent,
    make_env: Callable[[], gym.Env[Any, Any]],
    tasks: TaskSet,
    episodes: int,
    n_workers: int,
) -> pd.DataFrame:
    """One row per episode; `tasks` has `episodes` of each task, one after another."""
    slots = evaluation_slots(len(tasks))
    make_repeating = partial(repeat_actions, make_env, student.action_repeat)
    columns = make_repeating().get_wrapper_attr("task_space").columns
    envs = make_vec(make_repeating, slots, n_workers=min(n_workers, slots))
    try:
        results = evaluate(student.policy(envs), envs, tasks.tasks, tasks.seeds)
    finally:
        envs.close()
    return pd.DataFrame(
        {
            "task_index": row.task_index // episodes,
            "episode": row.task_index % episodes,
            **dict(zip(columns, row.task.tolist(), strict=True)),
            "seed": seed,
            "return": row.episode_return,
            "length": row.length,
            "mastered": row.mastered,
        }
        for row, seed in zip(results, tasks.seeds, strict=True)
    )

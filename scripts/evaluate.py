"""chiron-evaluate: what a trained student makes of a test set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import pandas as pd
from hydra.errors import HydraException
from rich.console import Console
from rich.table import Table

from conf.build import build
from envs.action_repeat import ActionRepeat
from envs.open_ended_tracks import OpenEndedTracks
from envs.task_space import TaskSpace
from envs.vector_workers import WorkerError, make_vector
from envs.walker_env import WalkerEnv
from evaluation.comparison import WORST_SHARE, worst_return_of
from evaluation.evaluate import EVALUATION_SLOTS, evaluate
from evaluation.named_test_sets import (
    OPEN_ENDED,
    read_task_set,
    shipped_table,
    shipped_task_set,
    with_episodes,
)
from evaluation.run_directory import RunDirectory
from evaluation.statistics import mean_and_sd
from evaluation.task_sets import TaskSet
from scripts.refusal import blaming, refuse
from scripts.trained_student import TrainedStudent

COMMAND = "chiron-evaluate"

FAILED = 1
"""Exit code for an evaluation that broke down."""

_SHIPPED = ("uniform", "grid", "open_ended")

MakeWorld = Callable[[], gym.Env[Any, Any]]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Let the student of a run play a test set with its deterministic policy. The episodes go to "
        "evaluations/<test set>.csv in the run's directory.",
    )
    parser.add_argument("run", nargs="+", type=Path, help="a run's directory")
    parser.add_argument(
        "--on",
        default="uniform",
        metavar="SET",
        help="uniform (50 tasks), grid (a regular one), open_ended (six test worlds for walkers), or a CSV file "
        "with a column for each number of a task and maybe one for seeds (default: uniform)",
    )
    parser.add_argument("--episodes", type=int, default=1, help="seeded episodes of each task (default: 1)")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that step the worlds; 0: none (default: 2)"
    )
    options = parser.parse_args()
    console = Console()
    try:
        if options.episodes < 1:
            raise ValueError(f"--episodes={options.episodes} must be at least 1")
        if options.workers < 0:
            raise ValueError(f"--workers={options.workers} must be at least 0")
        for path in options.run:
            _evaluate(RunDirectory(path), options.on, options.episodes, options.workers, console)
    except (ValueError, HydraException) as error:
        refuse(error, COMMAND)
    except WorkerError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        sys.exit(FAILED)


def _evaluate(directory: RunDirectory, wanted: str, episodes: int, workers: int, console: Console) -> None:
    student = TrainedStudent(directory)
    with blaming(f"run={directory.path}"):
        make_world = build(student.env)
        world = make_world()
    if wanted == "open_ended":
        name, rows = OPEN_ENDED, _play_test_worlds(student, world, episodes, workers)
    else:
        space = world.get_wrapper_attr("task_space")
        name, tasks = _task_set(wanted, space)
        rows = _play(student, make_world, space, with_episodes(tasks, episodes), episodes, workers)
    rows.insert(0, "step", student.steps)
    path = directory.test_set_rows(name)
    path.parent.mkdir(exist_ok=True)
    rows.to_csv(path, index=False)
    console.print(_table(rows, f"{directory.path} on {name}"))
    console.print(f"Episodes:  {path}", soft_wrap=True, highlight=False, markup=False)


def _task_set(wanted: str, space: TaskSpace) -> tuple[str, TaskSet]:
    path = Path(wanted)
    if wanted in _SHIPPED:
        return shipped_task_set(wanted, space)
    if path.suffix != ".csv":
        raise ValueError(f"--on {wanted} must be one of {', '.join(_SHIPPED)} or a file that ends in .csv")
    return path.stem, read_task_set(path, space)


def _play_test_worlds(
    student: TrainedStudent, world: gym.Env[Any, Any], episodes: int, workers: int
) -> pd.DataFrame:
    """Play the six test worlds with the body that the student was trained in."""
    if not isinstance(world.unwrapped, WalkerEnv):
        raise ValueError(f"--on open_ended needs a student that walks, and this one plays {world.unwrapped}")
    tables = []
    for index, (test_world, seed) in enumerate(shipped_table(OPEN_ENDED).itertuples(index=False)):
        make_world = partial(OpenEndedTracks, body=world.unwrapped.body, test_world=test_world)
        space = make_world().task_space
        tasks = TaskSet(space.default[None], [seed])
        rows = _play(student, make_world, space, with_episodes(tasks, episodes), episodes, workers)
        rows = rows.drop(columns=space.columns).assign(task_index=index)
        rows.insert(1, "test_world", test_world)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def _play(
    student: TrainedStudent,
    make_world: MakeWorld,
    space: TaskSpace,
    tasks: TaskSet,
    episodes: int,
    workers: int,
) -> pd.DataFrame:
    """One row per episode; `tasks` has `episodes` of each task, one after another."""
    slots = min(EVALUATION_SLOTS, len(tasks))
    make_slow = partial(_slowed_down, make_world, student.action_repeat)
    worlds = make_vector([make_slow] * slots, min(workers, slots))
    try:
        results = evaluate(student.policy(make_slow()), worlds, tasks.tasks, tasks.seeds)
    finally:
        worlds.close()
    return pd.DataFrame(
        [
            {
                "task_index": row.task_index // episodes,
                "episode": row.task_index % episodes,
                **dict(zip(space.columns, row.task.tolist(), strict=True)),
                "seed": seed,
                "return": row.episode_return,
                "length": row.length,
                "mastered": row.mastered,
            }
            for row, seed in zip(results, tasks.seeds, strict=True)
        ]
    )


def _slowed_down(make_world: MakeWorld, times: int) -> gym.Env[Any, Any]:
    return ActionRepeat(make_world(), times)


def _table(rows: pd.DataFrame, title: str) -> Table:
    """Of test worlds one line each, of tasks one for all of them."""
    table = Table(title=title)
    for heading in ("tasks", "episodes", "mastered %", "return", "length", "worst 10% return"):
        table.add_column(heading, justify="left" if heading == "tasks" else "right")
    parts = [(f"{rows['task_index'].nunique()}", rows)]
    if "test_world" in rows:
        parts = [(str(name), part) for name, part in rows.groupby("test_world", sort=False)]
    for name, part in parts:
        mean, sd = mean_and_sd(part["return"])
        has_worst = part["episode"].max() > 0 and part["task_index"].nunique() >= 1 / WORST_SHARE
        table.add_row(
            name,
            f"{len(part):,}",
            f"{100 * part['mastered'].mean():.1f}",
            f"{mean:.1f} ± {sd:.1f}",
            f"{part['length'].mean():.0f}",
            f"{worst_return_of(part):.1f}" if has_worst else "–",
        )
    return table


if __name__ == "__main__":
    main()

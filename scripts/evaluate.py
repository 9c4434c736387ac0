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

from ..analysis.comparison import worst_return_of
from ..analysis.comparison_report import plus_minus
from ..analysis.statistics import mean_and_sd
from ..conf.build import build
from ..envs.task_space import TaskSpace
from ..envs.vector.action_repeat import repeat_actions
from ..envs.vector.async_vector_env import WorkerError
from ..envs.vector.make_vec import make_vec
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
from ..runs.blaming import blaming
from ..runs.run_directory import RunDirectory
from ..runs.trained_student import TrainedStudent
from .refusal import refuse

COMMAND = "chiron-evaluate"

FAILED = 1
"""Exit code for an evaluation that broke down."""

_SHIPPED = ("uniform", "grid", "open_ended")

EnvFn = Callable[[], gym.Env[Any, Any]]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Let the student of a run play a test set with its deterministic policy. The episodes go "
        "to evaluations/<test set>.csv in the run's directory.",
    )
    parser.add_argument("run", nargs="+", type=Path, help="a run's directory, or a folder that holds runs")
    parser.add_argument(
        "--on",
        default="uniform",
        metavar="SET",
        help="uniform (50 tasks), grid (a regular one), open_ended (six test worlds for walkers), or a CSV "
        "file with a column for each number of a task and maybe one for seeds (default: uniform)",
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
        problems = []
        for path in (run for folder in options.run for run in _runs_in(folder)):
            try:
                _evaluate(RunDirectory(path), options.on, options.episodes, options.workers, console)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
    except (ValueError, HydraException) as error:
        refuse(error, COMMAND)
    except WorkerError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        sys.exit(FAILED)


def _runs_in(folder: Path) -> list[Path]:
    """The runs in or below a folder; the folder itself if there are none, which is then refused as such."""
    return sorted(path.parent for path in folder.rglob("config.yaml")) or [folder]


def _evaluate(directory: RunDirectory, wanted: str, episodes: int, workers: int, console: Console) -> None:
    student = TrainedStudent(directory)
    with blaming(f"run={directory.path}"):
        make_world = build(student.env)
        world = make_world()
    if wanted == "open_ended":
        if not isinstance(world.unwrapped, WalkerEnv):
            raise ValueError(f"--on open_ended is for walkers, and this student plays {world.unwrapped}")
        make_world = partial(OpenEndedTestEnvs, body=world.unwrapped.body)
        name, tasks = OPEN_ENDED, open_ended_task_set()
    else:
        name, tasks = _task_set(wanted, world.get_wrapper_attr("task_space"))
    rows = _play(student, make_world, with_episodes(tasks, episodes), episodes, workers)
    if wanted == "open_ended":
        rows["test_env"] = rows["test_env"].map(lambda index: list(TEST_ENVS)[int(index)])
    rows.insert(0, "step", student.steps)
    path = directory.test_set_rows(name)
    path.parent.mkdir(exist_ok=True)
    rows.to_csv(path, index=False)
    console.print(_table(rows, name))
    console.print(f"Episodes:  {path}", soft_wrap=True, highlight=False, markup=False)


def _task_set(wanted: str, space: TaskSpace) -> tuple[str, TaskSet]:
    path = Path(wanted)
    if wanted in _SHIPPED:
        return shipped_task_set(wanted, space)
    if path.suffix != ".csv":
        raise ValueError(f"--on {wanted} must be one of {', '.join(_SHIPPED)} or a file that ends in .csv")
    if path.stem in RECIPES:
        raise ValueError(f"--on {wanted} has the name of one of Chiron's own test sets: rename the file")
    return path.stem, read_task_set(path, space)


def _play(
    student: TrainedStudent,
    make_world: EnvFn,
    tasks: TaskSet,
    episodes: int,
    workers: int,
) -> pd.DataFrame:
    """One row per episode; `tasks` has `episodes` of each task, one after another."""
    slots = evaluation_slots(len(tasks))
    make_slow = partial(repeat_actions, make_world, student.action_repeat)
    world = make_slow()
    columns = world.get_wrapper_attr("task_space").columns
    worlds = make_vec(make_slow, slots, n_workers=min(workers, slots))
    try:
        results = evaluate(student.policy(world), worlds, tasks.tasks, tasks.seeds)
    finally:
        worlds.close()
    return pd.DataFrame(
        [
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
        ]
    )


def _table(rows: pd.DataFrame, title: str) -> Table:
    """Of test worlds one line each, of tasks one for all of them."""
    headings = ["tasks", "episodes", "mastered %", "return", "length"]
    parts = [(f"{rows['task_index'].nunique()}", rows)]
    if "test_env" in rows:
        parts = [(str(name), part) for name, part in rows.groupby("test_env", sort=False)]
    elif rows["episode"].max() > 0:
        headings.append("worst 10% return")
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "tasks" else "right", no_wrap=True)
    for name, part in parts:
        mean, sd = mean_and_sd(part["return"])
        cells = [name, f"{len(part):,}", f"{100 * part['mastered'].mean():.1f}", plus_minus(mean, sd, 1)]
        cells.append(f"{part['length'].mean():.0f}")
        if len(headings) > len(cells):
            cells.append(f"{worst_return_of(part):.1f}")
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()

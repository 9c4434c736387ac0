"""The cost of stepping many envs: workers compared with Stable-Baselines3's, a curriculum with none.

`batch_curriculum.py` measures the cost of a curriculum for thousands of envs on one device.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack, closing
from time import perf_counter, process_time
from typing import Any

import numpy as np
from chiron.envs.env_info import env_info
from chiron.envs.gymnasium_env import GymnasiumEnv
from chiron.envs.vector.make_vec import make_vec
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.students.curriculum_vec_env import CurriculumVecEnv
from chiron.students.curriculum_vector_env import CurriculumVectorEnv
from chiron.teachers import ALPGMM, Curriculum, Random
from chiron.teachers.teacher import Teacher
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.vec_env import VecEnv

from benchmarks import batch_curriculum
from benchmarks.teachers import Stopwatch
from benchmarks.timed_envs import STOCK, batched_stump_tracks, stock_vec_env, stump_tracks
from benchmarks.timing import Timing, time_in_turns

_WALKERS, _POLES = 16, 8
_WALKER_STEPS, _POLE_STEPS = 150, 500
"""Steps of all envs in one turn."""
_WORKERS = 2
_MODE_SLOTS = (8, 64)
_OURS = {
    "CurriculumVecEnv, in process": (stump_tracks, 0),
    f"CurriculumVecEnv, {_WORKERS} workers": (stump_tracks, _WORKERS),
    "CurriculumVecEnv, batched engine": (batched_stump_tracks, _WORKERS),
}
_TEACHERS: dict[str, type[Teacher]] = {"Random": Random, "ALP-GMM": ALPGMM}
_NONE, _UNSEEDED = "none", "none, unseeded"
"""Baselines with one fixed task; with and without a seed per episode, which makes it reproducible."""


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time vector envs, print the tables, and return the measurements.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each vector env gets.
    """
    console.print("Timing vector envs…")
    walkers = _walker_rows(options.rounds)
    console.print(_walker_table(walkers))
    console.print("Timing curricula…")
    poles = [row for n_workers in (0, _WORKERS) for row in _pole_rows(n_workers, options.rounds)]
    console.print(_pole_table(poles))
    console.print("Timing the curriculum of Gymnasium's vector envs…")
    modes = [row for slots in _MODE_SLOTS for row in _mode_rows(slots, options.rounds)]
    console.print(_mode_table(modes))
    console.print("Timing the curriculum of thousands of envs…")
    batches = batch_curriculum.rows()
    console.print(batch_curriculum.table(batches))
    return {"walkers": walkers, "curriculum": poles, "autoreset_modes": modes, "batches": batches}


def _walker_rows(rounds: int) -> list[dict[str, Any]]:
    info = env_info(StumpTracks())
    actions = np.random.default_rng(0).uniform(-1, 1, (_WALKER_STEPS, _WALKERS, 4)).astype(np.float32)
    with ExitStack() as at_the_end:
        vec_envs: dict[str, VecEnv] = {kind: stock_vec_env(kind, _WALKERS) for kind in STOCK}
        for name, (make_env, n_workers) in _OURS.items():
            curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=0)
            vec_envs[name] = CurriculumVecEnv([make_env] * _WALKERS, curriculum, n_workers)
        for vec_env in vec_envs.values():
            at_the_end.enter_context(closing(vec_env))
        timings = time_in_turns({name: _player(env, actions) for name, env in vec_envs.items()}, rounds)
    better = min(STOCK, key=lambda kind: timings[kind].median)
    return [
        {
            "vector_env": name,
            "steps_per_second": 1 / timing.median,
            **timing.times_faster_than(timings[better]).as_row("times_better_stock"),
        }
        for name, timing in timings.items()
    ]


def _player(vec_env: Any, actions: NDArray[Any]) -> Callable[[], int]:
    vec_env.reset()

    def play() -> int:
        for action in actions:
            vec_env.step(action)
        return len(actions) * len(actions[0])

    return play


def _pole() -> GymnasiumEnv:
    """CartPole with tasks that differ too little to change the episodes."""
    push = {"attribute": "unwrapped.force_mag", "value": [9.99, 10.01]}
    return GymnasiumEnv("CartPole-v1", {"push": push}, (0.0, 500.0), 475.0, reuse=True)


def _pole_rows(n_workers: int, rounds: int) -> list[dict[str, Any]]:
    """What each teacher adds to the time of a step, with and without its own time."""
    info = env_info(_pole())
    actions = np.random.default_rng(0).integers(2, size=(_POLE_STEPS, _POLES))
    with ExitStack() as at_the_end:
        contenders = {}
        for name in (_NONE, _UNSEEDED):
            bare = at_the_end.enter_context(closing(make_vec(_pole, _POLES, n_workers=n_workers)))
            contenders[name] = _taskless_player(bare, actions, is_seeded=name == _NONE)

        def player(teacher: Teacher) -> Callable[[], int]:
            vec_env = CurriculumVecEnv([_pole] * _POLES, Curriculum(teacher, info, seed=0), n_workers)
            return _player(at_the_end.enter_context(closing(vec_env)), actions)

        watches = {}
        for name, kind in _TEACHERS.items():
            contenders[name] = player(kind(info.task_space, seed=0))
            # Watching takes time, so a second teacher of this kind is watched.
            teacher = kind(info.task_space, seed=0)
            watches[name] = watch = _WatchedTurns(teacher)
            contenders[f"{name}, watched"] = watch.around(player(teacher))
        timings = time_in_turns(contenders, rounds, perf_counter if n_workers else process_time)
    rows = []
    for name in (_NONE, _UNSEEDED, *_TEACHERS):
        timing = timings[name]
        row = {"teacher": name, "n_workers": n_workers, "microseconds": 1e6 * timing.median}
        if name != _NONE:
            row |= timings[_NONE].times_faster_than(timing).as_row("times_none")
        if name in watches:
            rest = watches[name].taken_from(timing)
            row |= timings[_NONE].times_faster_than(rest).as_row("times_none_besides_teacher")
        rows.append(row)
    return rows


def _mode_rows(slots: int, rounds: int) -> list[dict[str, Any]]:
    """What `CurriculumVectorEnv` adds to a step, compared with its inner vector env and Gymnasium's own."""
    info = env_info(_pole())
    steps = _POLE_STEPS * _POLES // slots
    actions = np.random.default_rng(0).integers(2, size=(steps, slots))
    stock = SyncVectorEnv([_pole] * slots, autoreset_mode=AutoresetMode.SAME_STEP)
    contenders = {
        _NONE: _taskless_player(make_vec(_pole, slots), actions, is_seeded=True),
        "Gymnasium's SyncVectorEnv, unseeded": _player(stock, actions),
    }
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=0)
        envs = CurriculumVectorEnv([_pole] * slots, curriculum, autoreset_mode=mode)
        contenders[mode.name] = _player(envs, actions)
    timings = time_in_turns(contenders, rounds, process_time)
    return [
        {
            "slots": slots,
            "vector_env": name,
            "microseconds": 1e6 * timing.median,
            **timings[_NONE].times_faster_than(timing).as_row("times_none"),
        }
        for name, timing in timings.items()
    ]


def _taskless_player(envs: Any, actions: NDArray[Any], is_seeded: bool) -> Callable[[], int]:
    """Plays a vector env without a curriculum, always in the same task."""
    rng = np.random.default_rng(0)
    slots = envs.num_envs
    tasks = np.tile(_pole().task_space.default, (slots, 1))
    envs.reset(seed=0, options={"task": tasks})

    def play() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = envs.step(action)
            over = terminated | truncated
            if over.any():
                seeds: list[int | None] = [None] * slots
                for slot in np.flatnonzero(over).tolist() if is_seeded else ():
                    seeds[slot] = int(rng.integers(2**31))
                envs.reset(seed=seeds, options={"reset_mask": over, "task": tasks})
        return len(actions) * len(actions[0])

    return play


class _WatchedTurns:
    """Measures how long a teacher takes in each turn.

    Args:
        teacher: Teacher to watch.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._watch = Stopwatch()
        self._seconds: list[float] = []
        watched: Any = teacher
        for name in ("sample", "observe"):
            original = getattr(teacher, name)
            setattr(watched, name, lambda *args, original=original: self._watch(original, *args))

    def around(self, play: Callable[[], int]) -> Callable[[], int]:
        """Wrap `play` to record the teacher's time per unit of work in each turn."""

        def watched() -> int:
            before = self._watch.seconds
            units = play()
            self._seconds.append((self._watch.seconds - before) / units)
            return units

        return watched

    def taken_from(self, timing: Timing) -> Timing:
        """The timing without the teacher's share, for the turns that counted."""
        counted = self._seconds[-len(timing.seconds) :]
        return Timing(tuple(a - b for a, b in zip(timing.seconds, counted, strict=True)))


def _walker_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{_WALKERS} Stump Tracks, random actions, uniform tasks, by the wall clock")
    for heading in ("vector env", "steps/s", "× better stock"):
        table.add_column(heading, justify="left" if heading == "vector env" else "right", no_wrap=True)
    for row in rows:
        low, high = row["times_better_stock_quartiles"]
        ratio = f"{row['times_better_stock']:.2f} ({low:.2f}–{high:.2f})"
        table.add_row(row["vector_env"], f"{row['steps_per_second']:,.0f}", ratio)
    return table


def _pole_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{_POLES} CartPoles: what a curriculum adds to a step in one fixed task")
    for heading in ("envs", "teacher", "a step", "added", "besides teacher"):
        table.add_column(heading, justify="left" if heading in ("envs", "teacher") else "right", no_wrap=True)
    for row in rows:
        place = f"{row['n_workers']} workers" if row["n_workers"] else "in process"
        cells = [place, row["teacher"], f"{row['microseconds']:.1f} µs"]
        for key in ("times_none", "times_none_besides_teacher"):
            if key in row:
                low, high = row[f"{key}_quartiles"]
                cells.append(f"{100 * (row[key] - 1):+.0f}% ({100 * (low - 1):+.0f}–{100 * (high - 1):+.0f})")
        table.add_row(*cells)
    return table


def _mode_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="CartPoles: what CurriculumVectorEnv with the Random teacher adds to a step")
    for heading in ("slots", "vector env", "a step of one", "added"):
        table.add_column(heading, justify="left" if heading == "vector env" else "right", no_wrap=True)
    for row in rows:
        low, high = row["times_none_quartiles"]
        added = f"{100 * (row['times_none'] - 1):+.0f}% ({100 * (low - 1):+.0f}–{100 * (high - 1):+.0f})"
        table.add_row(str(row["slots"]), row["vector_env"], f"{row['microseconds']:.1f} µs", added)
    return table

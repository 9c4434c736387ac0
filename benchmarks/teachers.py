"""The cost of teachers: proposing a task and observing its episode."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from chiron import conf
from chiron.conf.build import build
from chiron.envs.task_space import Task, TaskParameter, TaskSpace
from chiron.teachers.critic_scores import CriticScores
from chiron.teachers.episode import Episode
from chiron.teachers.teacher import Teacher
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Table

_DIMENSIONS = (2, 6, 12, 20)
_SHORT = 20_000
"""Episodes of every measurement except the long run."""

_EARLY = (10_000, 20_000)
"""Range of episodes of the long run that its last tenth is compared with."""

_MANY = 1_000
"""Tasks proposed at once."""
_REPEATS = 100
_MASTERED = 0.2
"""The return at which a task counts as mastered; which tasks are mastered keeps changing."""
_UPDATE = 1e-3
"""Minimum seconds for an observation to count as a fit or another update."""


@dataclass
class TeacherCost:
    """The cost of one teacher; times are CPU times of one thread.

    Attributes:
        teacher: Its name in `conf/teacher`.
        microseconds: Mean of proposing and observing an episode, by dimensions of the task space.
        longest_ms: Longest call, by dimensions.
        many: Time of a thousand proposals relative to one, by dimensions.
        shares: Share of the time in each part, in two dimensions.
        early_microseconds: Mean over episodes 10,000 to 20,000 of the long run.
        late_microseconds: Mean over the last tenth of the long run.
        late_longest_ms: Longest call of the long run.
        memory_bytes: Growth of this process per episode of the long run.
    """

    teacher: str
    microseconds: dict[int, float]
    longest_ms: dict[int, float]
    many: dict[int, float]
    shares: dict[str, float]
    early_microseconds: float
    late_microseconds: float
    late_longest_ms: float
    memory_bytes: float | None


class Stopwatch:
    """Adds up the CPU time of calls.

    Attributes:
        seconds: Time of all calls.
        longest: Time of the longest call.
        in_updates: Time of all calls of at least a millisecond.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.longest = 0.0
        self.in_updates = 0.0

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function and time it."""
        start = time.thread_time()
        result = function(*args)
        took = time.thread_time() - start
        self.seconds += took
        self.longest = max(self.longest, took)
        self.in_updates += took if took >= _UPDATE else 0.0
        return result


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all teachers, print the tables, and return the measurements.

    Args:
        console: Where to print.
        options: `episodes`, the length of the long run.

    Raises:
        ValueError: If the long run is shorter than the others.
    """
    if options.episodes < 2 * _EARLY[1]:
        raise ValueError(f"--episodes={options.episodes} must be at least {2 * _EARLY[1]}")
    costs = [measure(name, options.episodes) for name in track(teacher_names(), "Teachers", console=console)]
    tables = (
        _cost_table(costs),
        _longest_table(costs),
        _many_table(costs),
        _long_run_table(costs, options.episodes),
    )
    for table in tables:
        console.print(table)
    return {"episodes": options.episodes, "teachers": [asdict(cost) for cost in costs]}


def measure(name: str, episodes: int) -> TeacherCost:
    """Measure one teacher of `conf/teacher`.

    Args:
        name: The teacher's name.
        episodes: Length of the long run, in two dimensions.
    """
    microseconds, longest, many, shares = {}, {}, {}, {}
    for dim in _DIMENSIONS:
        teacher, proposing, observing = _teacher(name, dim), Stopwatch(), Stopwatch()
        play(teacher, proposing, observing, 0, _SHORT)
        total = proposing.seconds + observing.seconds
        microseconds[dim] = 1e6 * total / _SHORT
        longest[dim] = 1e3 * max(proposing.longest, observing.longest)
        many[dim] = _times_as_long(teacher)
        if dim == _DIMENSIONS[0]:
            shares = {"propose": proposing.seconds / total, "updates": observing.in_updates / total}

    teacher = _teacher(name, _DIMENSIONS[0])
    before = _memory()
    ends = {"start": _EARLY[0], "early": _EARLY[1], "middle": episodes - episodes // 10, "late": episodes}
    begin, longest_of_all, means = 0, 0.0, {}
    for span, end in ends.items():
        watch = Stopwatch()
        play(teacher, watch, watch, begin, end)
        means[span] = 1e6 * watch.seconds / (end - begin)
        longest_of_all = max(longest_of_all, 1e3 * watch.longest)
        begin = end
    after = _memory()
    memory = None if before is None or after is None else (after - before) / episodes
    return TeacherCost(
        name, microseconds, longest, many, shares, means["early"], means["late"], longest_of_all, memory
    )


def play(teacher: Teacher, proposing: Stopwatch, observing: Stopwatch, begin: int, end: int) -> None:
    """Let a teacher propose and observe episodes of a student that never stops changing."""
    noise = np.random.default_rng(begin)
    for episode in range(begin, end):
        proposal = proposing(teacher.sample)
        episode_return = _return(proposal.task, episode) + 0.05 * noise.random()
        finished = Episode(
            slot=0,
            task=proposal.task,
            source=proposal.source,
            ticket=proposal.ticket,
            seed=proposal.seed or 0,
            length=1,
            episode_return=episode_return,
            success=episode_return > _MASTERED,
            score=episode_return,
            mastered_score=_MASTERED,
            critic=CriticScores(episode_return / 2, episode_return, episode_return, episode_return),
        )
        observing(teacher.observe, finished)


def _times_as_long(teacher: Teacher) -> float:
    """Mean time of many proposals at once, relative to that of one."""
    watches = {1: Stopwatch(), _MANY: Stopwatch()}
    for _ in range(_REPEATS):
        for n, watch in watches.items():
            watch(teacher.sample, n)
    return watches[_MANY].seconds / watches[1].seconds


def _return(task: Task, episode: int) -> float:
    """A return between 0 and 1: a wave that moves over the task space, higher in one half of it."""
    x = float(task[0])
    return (0.5 + 0.5 * float(np.sin(6 * x + episode / 2000))) * (0.3 + 0.7 * x)


def teacher_names() -> list[str]:
    """All teachers of `conf/teacher`, without their `_benchmark` presets."""
    names = [path.stem for path in (Path(conf.__path__[0]) / "teacher").glob("*.yaml")]
    return sorted(name for name in names if not name.endswith("_benchmark"))


def _teacher(name: str, dim: int) -> Teacher:
    node = OmegaConf.to_container(OmegaConf.load(Path(conf.__path__[0]) / "teacher" / f"{name}.yaml"))
    assert isinstance(node, dict)
    space = TaskSpace([TaskParameter(f"x{i}", 0, 1) for i in range(dim)])
    teacher: Teacher = build({str(key): value for key, value in node.items()})(space=space, seed=0)
    return teacher


def _memory() -> int | None:
    """Resident memory of this process in bytes, where the system reports it."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else None


def _cost_table(costs: list[TeacherCost]) -> Table:
    table = Table(title="One episode (propose + observe), CPU time by dimensions, and where it goes in 2-D")
    table.add_column("teacher")
    for dim in _DIMENSIONS:
        table.add_column(f"{dim}-D", justify="right", no_wrap=True)
    table.add_column("shares")
    for cost in costs:
        shares = {**cost.shares, "rest": 1 - sum(cost.shares.values())}
        table.add_row(
            cost.teacher,
            *(f"{cost.microseconds[dim]:.0f} µs" for dim in _DIMENSIONS),
            ", ".join(f"{part} {share:.0%}" for part, share in shares.items()),
        )
    return table


def _longest_table(costs: list[TeacherCost]) -> Table:
    table = Table(title=f"Longest call of {_SHORT:,} episodes, by dimensions")
    table.add_column("teacher")
    for dim in _DIMENSIONS:
        table.add_column(f"{dim}-D", justify="right")
    for cost in costs:
        table.add_row(cost.teacher, *(f"{cost.longest_ms[dim]:.0f} ms" for dim in _DIMENSIONS))
    return table


def _many_table(costs: list[TeacherCost]) -> Table:
    table = Table(title=f"{_MANY:,} proposals at once, in times of a single one, by dimensions")
    table.add_column("teacher")
    for dim in _DIMENSIONS:
        table.add_column(f"{dim}-D", justify="right")
    for cost in costs:
        table.add_row(cost.teacher, *(f"{cost.many[dim]:.1f}" for dim in _DIMENSIONS))
    return table


def _long_run_table(costs: list[TeacherCost], episodes: int) -> Table:
    table = Table(title=f"A run of {episodes:,} episodes in 2-D")
    for heading in ("teacher", "10k–20k", "last tenth", "ratio", "longest call", "memory per episode"):
        table.add_column(heading, justify="left" if heading == "teacher" else "right")
    for cost in costs:
        early, late = cost.early_microseconds, cost.late_microseconds
        table.add_row(
            cost.teacher,
            f"{early:.0f} µs",
            f"{late:.0f} µs",
            f"{late / early:.2f}",
            f"{cost.late_longest_ms:.0f} ms",
            "–" if cost.memory_bytes is None else f"{cost.memory_bytes:.0f} B",
        )
    return table

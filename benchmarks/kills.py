"""Runs that are killed at random moments and restarted, compared with an undisturbed run."""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from chiron.runs.checkpoints import Checkpoints
from chiron.runs.run_directory import RunDirectory
from chiron.runs.snapshots import read_snapshots
from chiron.scripts import train
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.save_util import load_from_zip_file

_SMALL = [
    *(
        "n_envs=4",
        "n_workers=0",
        "evaluation.every_steps=1_000",
        "evaluation.n_tasks=3",
        "checkpoint.every_steps=250",
    ),
    *("student.policy_kwargs.net_arch=[32,32]", "study=kills"),
]
RUNS = {
    "PPO": [
        *("env=stump_tracks", "total_steps=6_000", "student=ppo", "student.n_steps=64"),
        *("student.batch_size=64", *_SMALL),
    ],
    "SAC": [
        *("env=pendulum", "total_steps=3_000", "student=fast_sac", "student.batch_size=64"),
        *("student.learning_starts=200", "student.buffer_size=2_000", *_SMALL),
    ],
}
"""Command lines of small runs."""
_PRELOADED = [
    *("chiron.scripts.train", "chiron.students", "chiron.runs.make_run", "chiron.runs.progress"),
    *("chiron.runs.run_pictures", "chiron.runs.tensorboard_log"),
    *("chiron.envs.walkers.engine.vector_env", "torch._dynamo"),  # which optimizers import
]
"""Imports of a run, loaded before the processes are forked that will be killed."""


@dataclass
class KillCount:
    """Outcome of killing a run repeatedly.

    Attributes:
        kills: Number of kills.
        before_checkpoint: Kills before the run had a checkpoint to resume from.
        finished: Runs that finished despite the kills, each compared with the undisturbed one.
        differing: Names of the results that differed in any of them.
        unreadable: Files that could not be read after a kill.
        seconds: Duration of the undisturbed run.
    """

    kills: int
    before_checkpoint: int
    finished: int
    differing: list[str]
    unreadable: list[str]
    seconds: float


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Kill small runs of PPO and SAC, print and return the outcome.

    Args:
        console: Where to print.
        options: `kills`, their number for each.
    """
    table = Table(title="Killed at random moments, issued again")
    for heading in ("", "kills", "before a checkpoint", "runs finished", "differing", "unreadable files"):
        table.add_column(heading, justify="left" if not heading else "right")
    counts = {}
    for name, arguments in RUNS.items():
        with tempfile.TemporaryDirectory() as folder, console.status(f"killing runs of {name}"):
            count = kill_often(arguments, options.kills, np.random.default_rng(0), Path(folder))
        counts[name] = asdict(count)
        table.add_row(
            name,
            str(count.kills),
            str(count.before_checkpoint),
            str(count.finished),
            ", ".join(count.differing) or "none",
            ", ".join(count.unreadable) or "none",
        )
    console.print(table)
    return {"runs": counts}


def kill_often(arguments: Sequence[str], kills: int, rng: np.random.Generator, folder: Path) -> KillCount:
    """Start a command line, kill its process with SIGKILL at a random moment, restart it, and so on.

    Args:
        arguments: Arguments of `chiron-train`.
        kills: Number of kills.
        rng: Draws the moments, uniformly over the duration of an undisturbed run.
        folder: An empty folder.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_train, args=(arguments, folder / "warm-up"))
    process.start()
    process.join()
    start = time.perf_counter()
    process = context.Process(target=_train, args=(arguments, folder / "undisturbed"))
    process.start()
    process.join()
    count = KillCount(0, 0, 0, [], [], time.perf_counter() - start)
    undisturbed = _run_in(folder / "undisturbed")
    if undisturbed is None:
        raise ValueError(f"chiron-train {' '.join(arguments)} did not finish")
    while count.kills < kills or process.exitcode != 0:
        place = folder / f"run{count.finished}"
        process = context.Process(target=_train, args=(arguments, place))
        process.start()
        process.join(rng.uniform(0, count.seconds) if count.kills < kills else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            count.kills += 1
        run = _run_in(place)
        count.unreadable += [] if run is None else unreadable_files(run)
        if process.exitcode == 0 and run is not None:
            count.differing += differences(run, undisturbed)
            count.finished += 1
        elif run is None or run.checkpointed_step() is None:
            count.before_checkpoint += 1
    return count


def differences(run: RunDirectory, other: RunDirectory) -> list[str]:
    """Names of results in which a finished run differs from another: logs and all weights, bit for bit."""
    ours, theirs = dict(_results(run)), dict(_results(other))
    return [
        name for name in sorted(ours.keys() | theirs.keys()) if not _equal(ours.get(name), theirs.get(name))
    ]


def unreadable_files(run: RunDirectory) -> list[str]:
    """Files of a stopped run that cannot be read completely."""
    readers: dict[Path, Callable[[], object]] = {
        run.config: lambda: yaml.safe_load(run.config.read_text())["seed"],
        run.versions: run.read_versions,
        run.summary: run.read_summary,
        run.episodes: lambda: [np.asarray(run.read_episodes())] if any(run.episodes.iterdir()) else [],
        run.evaluations: lambda: _read_rows(run.evaluations),
        run.snapshots: lambda: read_snapshots(run.snapshots),
        run.checkpoints: lambda: _require_readable(run.checkpoints),
        run.model: lambda: load_from_zip_file(run.model, device="cpu"),
        run.figure: lambda: run.figure.read_bytes().index(b"IEND"),
    }
    unreadable = []
    for path, read in readers.items():
        if path.exists():
            try:
                read()
            except Exception as error:
                unreadable.append(f"{path.name} ({type(error).__name__}: {error})")
    return unreadable


def _require_readable(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    for step in checkpoints.steps():
        checkpoints.read(step)


def _read_rows(path: Path) -> None:
    text = path.read_text()
    widths = {len(row) for row in csv.reader(text.splitlines())}
    if len(widths) > 1 or (text and not text.endswith("\n")):
        raise ValueError("a row is cut off")


def _results(run: RunDirectory) -> Iterator[tuple[str, NDArray[Any] | bytes]]:
    """Logs and all trained numbers, including those of the optimizers, by name."""
    for name, column in run.read_episodes().items():
        yield f"episodes.{name}", repr(column.to_list()).encode()
    yield "evaluations", run.evaluations.read_bytes()
    yield "snapshots", run.snapshots.read_bytes()
    if run.competence.exists():
        yield "competence", np.load(run.competence)
    if run.model.exists():
        _, parameters, variables = load_from_zip_file(run.model, device="cpu")
        yield from _tensors("parameters", parameters)
        yield from _tensors("variables", variables)


def _equal(one: NDArray[Any] | bytes | None, other: NDArray[Any] | bytes | None) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.tobytes() == other.tobytes() and one.shape == other.shape
    return one == other


def _tensors(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, torch.Tensor):
        yield name, value.detach().numpy()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(f"{name}.{key}", item)


def _run_in(folder: Path) -> RunDirectory | None:
    found = [RunDirectory(config.parent) for config in folder.rglob("config.yaml")]
    return found[0] if found else None


def _train(arguments: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    sys.argv = ["chiron-train", *arguments]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    train.main()

"""Runs stopped in each phase, and sweeps whose parent is killed, compared with undisturbed ones."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from chiron.runs.pictures import Figure
from chiron.runs.run_directory import RunDirectory
from chiron.scripts import train
from chiron.students.sb3_student import SB3Student
from numba.core.event import Listener, register
from rich.console import Console
from rich.table import Table

from benchmarks.kills import differences, unreadable_files

RUN = [
    *(
        "env=stump_tracks",
        "env.engine=box2d",
        "total_steps=1_500",
        "n_envs=4",
        "n_workers=0",
        "study=signals",
    ),
    *("student.n_steps=32", "student.batch_size=64", "student.policy_kwargs.net_arch=[32,32]"),
    *("evaluation.every_steps=300", "evaluation.n_tasks=2", "checkpoint.every_steps=200"),
]
SWEEP = [*RUN, "-m", "seed=0,1", "launcher=joblib", "hydra.launcher.n_jobs=2"]
COMPILING = [*RUN, "env.engine=batched"]
"""The same run, bit for bit, with code that Numba compiles."""
PHASES = {"compilation": 40, "evaluation": 5, "checkpoint": 5, "pictures": 1}
"""By phase, how often it occurs in a run at least."""
_PATIENCE_SECONDS = 10.0
"""How long processes may outlive their sweep."""


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Send signals in each phase, kill sweeps, print and return the outcome.

    Args:
        console: Where to print.
        options: `signals`, their number in each phase; twice as many sweeps are killed.
    """
    rng = np.random.default_rng(0)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder, console.status("sending signals"):
        place = Path(folder)
        _start(place / "undisturbed", RUN).join()
        (undisturbed,) = _runs_in(place / "undisturbed")
        for phase in PHASES:
            rows[phase] = ask_often(phase, options.signals, rng, place, undisturbed)
    with tempfile.TemporaryDirectory() as folder, console.status("killing sweeps"):
        rows["sweep killed"] = kill_sweeps(2 * options.signals, rng, Path(folder))
    table = Table(title="Asked to stop, or killed, and issued again")
    headings = ("signals", "exit codes", "differing", "unreadable files", "orphans")
    for heading in ("", *headings):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, row in rows.items():
        cells = (row[heading] for heading in headings)
        table.add_row(
            name, *(", ".join(map(str, c)) or "none" if isinstance(c, list) else str(c) for c in cells)
        )
    console.print(table)
    return {"phases": rows}


def ask_often(
    phase: str, count: int, rng: np.random.Generator, folder: Path, undisturbed: RunDirectory
) -> dict[str, Any]:
    """Send SIGINT and SIGTERM in turn to new runs in a given phase, and resume each run.

    Args:
        phase: One of `PHASES`.
        count: Number of signals.
        rng: Draws the occurrence of the phase at which a signal is sent.
        folder: An empty folder, or one used for other phases.
        undisturbed: The run that was not stopped.
    """
    codes: list[int] = []
    differing: list[str] = []
    unreadable: list[str] = []
    for number in range(count):
        place = folder / f"{phase}{number}"
        arguments = COMPILING if phase == "compilation" else RUN
        nth = int(rng.integers(1, PHASES[phase], endpoint=True))
        asked = _start(place, arguments, phase, nth, (signal.SIGINT, signal.SIGTERM)[number % 2])
        asked.join()
        codes.append(asked.exitcode if asked.exitcode is not None else -1)
        for run in _runs_in(place):
            unreadable += unreadable_files(run)
        _start(place, arguments).join()
        (run,) = _runs_in(place)
        differing += differences(run, undisturbed)
    counted = [f"{codes.count(code)} × {code}" for code in sorted(set(codes))]
    row = {"signals": count, "exit codes": counted, "differing": differing}
    return {**row, "unreadable files": unreadable, "orphans": []}


def kill_sweeps(kills: int, rng: np.random.Generator, folder: Path) -> dict[str, Any]:
    """Kill the parent of joblib sweeps at random moments and start them again, until each has finished.

    Args:
        kills: Number of kills.
        rng: Draws the moments, uniformly over the duration of an undisturbed sweep.
        folder: An empty folder.
    """
    start = time.perf_counter()
    _sweep(folder / "undisturbed").wait()
    seconds = time.perf_counter() - start
    undisturbed = {run.path.name: run for run in _runs_in(folder / "undisturbed")}
    differing: list[str] = []
    unreadable: list[str] = []
    orphans: list[int] = []
    done, finished = 0, 0
    while done < kills:
        sweep = _sweep(folder / f"sweep{finished}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            sweep.wait(rng.uniform(0, seconds))
        if sweep.returncode is None:
            sweep.kill()
            sweep.wait()
            done += 1
        orphans += _survivors(sweep.pid)
        runs = _runs_in(folder / f"sweep{finished}")
        unreadable += [fault for run in runs for fault in unreadable_files(run)]
        if sweep.returncode == 0 or done == kills:
            _sweep(folder / f"sweep{finished}").wait()
            for run in _runs_in(folder / f"sweep{finished}"):
                differing += differences(run, undisturbed[run.path.name])
            finished += 1
    row = {"signals": kills, "exit codes": [f"{finished} × finished"], "differing": differing}
    return {**row, "unreadable files": unreadable, "orphans": orphans}


def _sweep(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from chiron.scripts.train import main; main()", *SWEEP]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdout=nowhere, stderr=nowhere, start_new_session=True)


def _survivors(session: int) -> list[int]:
    """Processes of a session that are still alive after `_PATIENCE_SECONDS`."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        left = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(ProcessLookupError, ValueError):
                if os.getsid(int(entry.name)) == session:
                    left.append(int(entry.name))
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)


def _runs_in(folder: Path) -> list[RunDirectory]:
    return [RunDirectory(config.parent) for config in sorted(folder.rglob("config.yaml"))]


def _start(
    folder: Path, arguments: Sequence[str], phase: str = "", nth: int = 0, number: int = 0
) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=_train, args=(arguments, folder, phase, nth, number)
    )
    process.start()
    return process


def _train(arguments: Sequence[str], folder: Path, phase: str, nth: int, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by background jobs of a shell
    sys.argv = ["chiron-train", *arguments]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if phase == "compilation":
        numba.config.CACHE_DIR = str(folder / "cache")
    if phase:
        _ask_in(phase, nth, number)
    train.main()


def _ask_in(phase: str, nth: int, number: int) -> None:
    """Send a signal to this process at the n-th occurrence of a phase."""
    left = nth

    def happen() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)

    def asking(function: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any, **keywords: Any) -> Any:
            happen()
            return function(*arguments, **keywords)

        return asked

    class Compilation(Listener):  # type: ignore[misc]  # numba is untyped
        def on_start(self, event: Any) -> None:
            happen()

        def on_end(self, event: Any) -> None:
            pass

    places: dict[str, tuple[Any, str]] = {
        "evaluation": (SB3Student, "evaluate"),
        "checkpoint": (SB3Student, "state_dict"),
        "pictures": (Figure, "on_end"),
    }
    if phase == "compilation":
        register("numba:compile", Compilation())
    else:
        place, name = places[phase]
        setattr(place, name, asking(getattr(place, name)))

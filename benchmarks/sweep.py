"""The cost of running the jobs of a sweep in parallel: the same jobs with joblib and one after another."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_HOME = Path(__file__).parent.parent
_CORES = 2
_JOBS = 4
_SWEEP = (
    *("-m", "env=stump_tracks", "teacher=random", f"seed=range({_JOBS})"),
    *("evaluation.every_steps=1_000_000", "evaluation.n_tasks=2"),
)
_STEPS = {"batched": 131_072, "box2d": 32_768}
"""Steps of one job, by engine; long enough for start-up costs to be small."""
_SERIAL, _JOBLIB = "one after another", "joblib"
_LAUNCHERS = {
    # Serial jobs each use all cores: as threads of the batched engine, or as worker processes.
    _SERIAL: ("launcher=serial", f"n_workers={_CORES}"),
    _JOBLIB: ("launcher=joblib", f"hydra.launcher.n_jobs={_CORES}"),
}


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time the same sweep with each launcher, print the table, and return the measurements.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each launcher gets, three at most.

    Raises:
        ValueError: If a sweep fails.
    """
    rows: list[dict[str, Any]] = []
    for engine, steps in _STEPS.items():
        console.print(f"Running {_JOBS} jobs of {steps:,} steps, env.engine={engine}…", highlight=False)
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in _LAUNCHERS}
        for _ in range(min(options.rounds, 3)):
            for name, overrides in _LAUNCHERS.items():
                rounds[name].append(_timed((*overrides, f"env.engine={engine}", f"total_steps={steps}")))
        rows += [{"engine": engine, **_row(name, rounds[name], rounds[_SERIAL])} for name in _LAUNCHERS]
    table = Table(title=f"{_JOBS} jobs on {_CORES} cores")
    for heading in ("engine", "launcher", "whole sweep", "steps/s", "× one after another"):
        table.add_column(heading, justify="left" if heading in ("engine", "launcher") else "right")
    for row in rows:
        table.add_row(
            row["engine"],
            row["launcher"],
            f"{row['seconds']:.1f} s",
            f"{row['steps_per_second']:,.0f}",
            f"{row['times_serial']:.2f} ({min(row['all_times']):.2f}–{max(row['all_times']):.2f})",
        )
    console.print(table)
    return {"jobs": _JOBS, "cores": _CORES, "steps": _STEPS, "sweeps": rows}


def _timed(overrides: tuple[str, ...]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "chiron.scripts.train", *_SWEEP, *overrides]
        # Two cores for the whole sweep, however many there are.
        pinned = ["taskset", "--cpu-list", f"0-{_CORES - 1}", *command]
        started = time.perf_counter()
        done = subprocess.run(
            [*pinned, f"results={folder}"], cwd=_HOME, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise ValueError(f"the sweep with {' '.join(overrides)} failed: {done.stderr or done.stdout}")
        summaries = [json.loads(path.read_text()) for path in Path(folder).rglob("summary.json")]
        return {"seconds": seconds, "steps": float(sum(summary["steps"] for summary in summaries))}


def _row(name: str, rounds: list[dict[str, float]], serial: list[dict[str, float]]) -> dict[str, Any]:
    seconds = sorted(timed["seconds"] for timed in rounds)[len(rounds) // 2]
    times = [theirs["seconds"] / mine["seconds"] for mine, theirs in zip(rounds, serial, strict=True)]
    return {
        "launcher": name,
        "seconds": seconds,
        "steps_per_second": rounds[0]["steps"] / seconds,
        "times_serial": sorted(times)[len(times) // 2],
        "all_times": times,
    }

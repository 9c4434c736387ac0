"""The cost of comparing a large study: 200 runs with 100 evaluations of 100 tasks each."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from chiron.conf.compose import composed
from chiron.runs.run_directory import RunDirectory
from rich.console import Console
from rich.progress import track

_CONDITIONS, _SEEDS = 10, 20
_EVALUATIONS, _TASKS = 100, 100
_EVERY_STEPS = 20_000


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Write a study, compare it with `chiron-compare` in a separate process, and return the cost.

    Args:
        console: Where to print.
        options: Unused.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        runs = [(condition, seed) for condition in range(_CONDITIONS) for seed in range(_SEEDS)]
        for condition, seed in track(runs, "Writing runs", console=console):
            _write_run(RunDirectory(folder / f"condition{condition}" / f"seed{seed}"), condition, seed, rng)
        seconds, cpu_seconds, memory = measure_comparison(folder)
    rows = len(runs) * _EVALUATIONS * _TASKS
    console.print(
        f"chiron-compare on {len(runs)} runs and {rows:,} rows: {seconds:.1f} s ({cpu_seconds:.1f} s CPU), "
        f"{memory / 2**20:.0f} MiB at most.",
        highlight=False,
    )
    return {
        "runs": len(runs),
        "rows": rows,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "memory_bytes": memory,
    }


def _write_run(run: RunDirectory, condition: int, seed: int, rng: np.random.Generator) -> None:
    run.path.mkdir(parents=True)
    total = (_EVALUATIONS - 1) * _EVERY_STEPS
    config = composed(
        f"teacher.fit_rate={50 * (condition + 1)}",
        f"total_steps={total}",
        f"evaluation.every_steps={_EVERY_STEPS}",
        f"evaluation.n_tasks={_TASKS}",
    )
    run.config.write_text(yaml.safe_dump({**config, "seed": seed}))
    names = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
    run.write_summary({"status": "finished", **names, "seed": seed, "steps": total, "total_steps": total})
    tasks = np.random.default_rng(0).random((_TASKS, 2)).astype(np.float32) * (3, 6)
    skill = np.linspace(-1, 0.1 * condition, _EVALUATIONS)[:, None] - tasks[:, 0] / 3
    returns = 230 + 300 * (skill + 0.2 * rng.standard_normal((_EVALUATIONS, _TASKS)))
    with run.evaluations.open("w") as file:
        file.write("step,task_index,stump_height,obstacle_spacing,return,length,mastered\n")
        for index, evaluation in enumerate(returns.tolist()):
            file.writelines(
                f"{index * _EVERY_STEPS},{task},{x},{y},{value},1000,{value > 230}\n"
                for task, ((x, y), value) in enumerate(zip(tasks.tolist(), evaluation, strict=True))
            )


def measure_comparison(folder: Path) -> tuple[float, float, int]:
    """Wall-clock seconds, CPU seconds and peak memory in bytes of a comparison."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "chiron.scripts.compare", str(folder)],
        stdout=subprocess.DEVNULL,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"chiron-compare ended with exit code {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit

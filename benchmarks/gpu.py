"""SAC on a GPU: the cost of an update, and of whole runs with the ALP-GMM paper's protocol."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from chiron.students.fast.captured import Captured
from chiron.students.fast.fast_sac import FastSAC
from rich.console import Console
from rich.table import Table
from stable_baselines3 import SAC

from benchmarks.phases import EVALUATION, Phases
from benchmarks.run import chiron_seconds
from benchmarks.sac import updater
from benchmarks.timing import time_in_turns

_DEVICE = "cuda"
_UPDATES = 200
"""Updates of one turn."""
_EQUAL_UPDATES = 10
_STUDENTS = {"sac": 20_480, "fast_sac": 102_400, "overlapped_sac": 102_400}
"""Steps of a run, by student; the first is the stock one."""
_PROTOCOL = (
    "total_steps=20_000_000",
    "evaluation.every_steps=200_000",
    "n_envs=128",
    "n_workers=16",
    # In 20 million steps, those before learning starts are negligible.
    "student.learning_starts=1280",
)


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what needs a GPU, print the tables, and return the measurements; takes minutes.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each update gets.

    Raises:
        ValueError: If torch sees no GPU.
    """
    if _DEVICE == "cuda" and not torch.cuda.is_available():
        raise ValueError("gpu needs a GPU and torch sees none here: the other parts need none")
    name = torch.cuda.get_device_name() if _DEVICE == "cuda" else "none"
    console.print(f"Measuring on {name}…", highlight=False)
    difference = _captured_difference()
    console.print(
        f"{_EQUAL_UPDATES} captured updates differ from uncaptured ones by {difference:.1e} of a weight "
        "matrix's norm at most.",
        highlight=False,
    )
    updates = _update_rows(options.rounds)
    console.print(_update_table(updates))
    runs = _run_rows(console)
    console.print(_run_table(runs))
    return {"gpu": name, "captured_difference": difference, "updates": updates, "runs": runs}


def _captured_difference() -> float:
    """Largest relative difference of any parameter between updates with and without a captured graph."""
    ends = []
    for captured in (True, False):
        with patch("chiron.students.fast.fast_sac.Captured", Captured if captured else _uncaptured):
            models: list[SAC] = []
            update = updater(_noted(FastSAC, models), _EQUAL_UPDATES, device=_DEVICE)
            np.random.seed(0)  # noqa: NPY002 (minibatches on a CPU)
            torch.manual_seed(0)
            update()
        ends.append([p.detach().double() for p in models[0].policy.parameters()])
    pairs = zip(*ends, strict=True)
    return max(float((one - other).norm() / other.norm()) for one, other in pairs)


def _noted(kind: type[SAC], models: list[SAC]) -> Callable[..., SAC]:
    """A constructor that also appends each model to a list."""

    def make(*args: Any, **kwargs: Any) -> SAC:
        models.append(kind(*args, **kwargs))
        return models[-1]

    return make


def _uncaptured(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    return function


def _update_rows(rounds: int) -> list[dict[str, Any]]:
    def finished(update: Callable[[], int]) -> Callable[[], int]:
        def play() -> int:
            made = update()
            if _DEVICE == "cuda":
                torch.cuda.synchronize()
            return made

        return play

    kinds = {"stock SAC": SAC, "FastSAC": FastSAC}
    timings = time_in_turns(
        {name: finished(updater(kind, _UPDATES, device=_DEVICE)) for name, kind in kinds.items()}, rounds
    )
    return [
        {
            "student": name,
            "microseconds": 1e6 * timing.median,
            **timing.times_faster_than(timings["stock SAC"]).as_row("times_stock"),
        }
        for name, timing in timings.items()
    ]


def _run_rows(console: Console) -> list[dict[str, Any]]:
    """Steps per second of whole runs, with evaluations as frequent as in the protocol."""
    rows: list[dict[str, Any]] = []
    for student, steps in _STUDENTS.items():
        console.print(f"A run of {student}, {steps:,} steps…", highlight=False)
        names = {"env": "stump_tracks", "teacher": "alp_gmm", "student": student}
        overrides = (*_PROTOCOL, f"device={_DEVICE}")
        parts = chiron_seconds(names, overrides, steps, Phases(perf_counter))
        seconds = sum(parts.values())
        rows.append(
            {
                "student": student,
                "steps_per_second": 1 / seconds,
                "evaluation_share": parts[EVALUATION] / seconds,
                "hours_of_20_million_steps": 2e7 * seconds / 3600,
            }
        )
        rows[-1]["times_stock"] = rows[-1]["steps_per_second"] / rows[0]["steps_per_second"]
    return rows


def _update_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="One update of SAC: networks 400-300, minibatches of 1000")
    for heading in ("student", "an update", "× stock"):
        table.add_column(heading, justify="left" if heading == "student" else "right", no_wrap=True)
    for row in rows:
        low, high = row["times_stock_quartiles"]
        ratio = f"{row['times_stock']:.1f} ({low:.1f}–{high:.1f})"
        table.add_row(row["student"], f"{row['microseconds']:,.0f} µs", ratio)
    return table


def _run_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="ALP-GMM, Stump Tracks, an update per ten steps, a test per 200,000 steps")
    for heading in ("student", "steps/s", "× stock", "20 M steps", "evaluation"):
        table.add_column(heading, justify="left" if heading == "student" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["student"],
            f"{row['steps_per_second']:,.0f}",
            f"{row['times_stock']:.1f}",
            f"{60 * row['hours_of_20_million_steps']:,.0f} min",
            f"{row['evaluation_share']:.0%}",
        )
    return table

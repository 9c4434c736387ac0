"""The cost of a student's update: FastSAC, FastPPO, their stock versions, and SBX where it is installed."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import torch
from chiron.students.fast.dense_layers import linear_relu
from chiron.students.fast.fast_ppo import FastPPO
from chiron.students.fast.fast_sac import FastSAC
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO, SAC

from benchmarks import ppo as bench_ppo
from benchmarks.sac import ACTIONS, BATCH, NETWORKS, OBSERVATIONS, updater
from benchmarks.timing import Timing, time_in_turns

_STOCK, _FAST, _PEER = "stock SAC", "FastSAC", "SBX SAC"
_UPDATES = 5
"""Updates of one turn on a CPU."""
_GPU_UPDATES = 200
_HOME = Path(__file__).parent.parent


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time updates of SAC on CPU and GPU and of PPO, print the table, and return the measurements.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each student gets; `sbx_python`, a Python interpreter with SBX.

    Raises:
        ValueError: If `sbx_python` is not an interpreter with SBX.
    """
    threads_before = torch.get_num_threads()
    rows: list[dict[str, Any]] = []
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        console.print(f"Timing updates on {_place('cpu', threads)}…")
        torch.set_num_threads(threads)
        with _sbx(options.sbx_python, threads) as peer:
            contenders = {**_contenders("cpu", _UPDATES), **peer}
            timed = _rows("cpu", threads, time_in_turns(contenders, options.rounds))
        speed = _product_speed()
        console.print(
            f"An update's {update_flops() / 1e9:.2f} GFLOP take {1e3 * update_flops() / speed:.1f} ms at "
            f"the {speed / 1e9:.0f} GFLOP/s of a product of 1000 × 400 × 300.",
            highlight=False,
        )
        rows += [{**row, "product_gflops": speed / 1e9} for row in timed]
    torch.set_num_threads(1)
    ppo = {"stock PPO": bench_ppo.updater(PPO), "FastPPO": bench_ppo.updater(FastPPO)}
    ppo_rows = _rows("cpu", 1, time_in_turns(ppo, options.rounds, process_time), "stock PPO")
    torch.set_num_threads(threads_before)
    if torch.cuda.is_available():
        contenders = _contenders("cuda", _GPU_UPDATES)
        rows += _rows("cuda", 1, time_in_turns(contenders, options.rounds))
    console.print(_table(rows, f"SAC: networks {_sizes(NETWORKS)}, minibatches of {BATCH}"))
    title = f"PPO: networks {_sizes(bench_ppo.NETWORKS)}, minibatches of {bench_ppo.BATCH}, CPU time"
    console.print(_table(ppo_rows, title))
    if not torch.cuda.is_available():
        console.print("No GPU here.")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "update_gflop": update_flops() / 1e9, "updates": rows + ppo_rows}


def _contenders(device: str, updates: int) -> dict[str, Callable[[], int]]:
    def finished(update: Callable[[], int]) -> int:
        made = update()
        if device == "cuda":
            torch.cuda.synchronize()
        return made

    kinds = {_STOCK: SAC, _FAST: FastSAC}
    return {name: partial(finished, updater(kind, updates, device=device)) for name, kind in kinds.items()}


@contextlib.contextmanager
def _sbx(python: Path | None, threads: int) -> Iterator[dict[str, Callable[[], int]]]:
    """SBX's SAC in a process of its own interpreter, which makes updates on request."""
    if python is None:
        yield {}
        return
    command = [str(python), "-m", "benchmarks.sbx", str(threads), str(_UPDATES)]
    try:
        process = subprocess.Popen(
            command, cwd=_HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise ValueError(f"--sbx-python={python} is not an interpreter: {error.strerror}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    to_peer, from_peer = process.stdin, process.stdout

    def update() -> int:
        with contextlib.suppress(BrokenPipeError):
            print("go", file=to_peer, flush=True)
        if from_peer.readline() != "done\n":
            raise ValueError(f"--sbx-python={python} has no SBX that works: pip install sbx-rl there")
        return _UPDATES

    try:
        # Compilation does not count as part of an update.
        update()
        yield {_PEER: update}
    finally:
        with contextlib.suppress(BrokenPipeError):
            to_peer.close()
        process.wait()
        from_peer.close()


def update_flops() -> int:
    """Floating-point operations in the matrix products that an update of SAC requires."""
    actor = [OBSERVATIONS, *NETWORKS, 2 * ACTIONS]
    critic = [OBSERVATIONS + ACTIONS, *NETWORKS, 1]
    of_actor, of_critic = (sum(map(int.__mul__, sizes, sizes[1:])) for sizes in (actor, critic))
    first_actor, first_critic = (sizes[0] * sizes[1] for sizes in (actor, critic))
    parts = (
        2 * of_actor,  # on both observations
        2 * of_critic,  # two targets
        2 * (3 * of_critic - first_critic),  # two critics, forward and back to their weights
        2 * of_critic,  # two critics on the actor's actions
        of_critic - OBSERVATIONS * NETWORKS[0],  # back to the actions through the lower one
        2 * of_actor - first_actor,  # back to the actor's weights
    )
    return 2 * BATCH * sum(parts)


def _product_speed() -> float:
    """Floating-point operations per second in the matrix product that dominates an update."""
    x, weight, bias = torch.randn(BATCH, NETWORKS[0]), torch.randn(NETWORKS[::-1]), torch.randn(NETWORKS[1])

    def multiply() -> int:
        for _ in range(20):
            linear_relu(x, (weight, bias))
        return 20

    fastest = min(time_in_turns({"product": multiply}, 20)["product"].seconds)
    return 2 * BATCH * NETWORKS[0] * NETWORKS[1] / fastest


def _rows(device: str, threads: int, timings: dict[str, Timing], stock: str = _STOCK) -> list[dict[str, Any]]:
    rows = []
    for name, timing in timings.items():
        ratio = timing.times_faster_than(timings[stock])
        rows.append(
            {
                "student": name,
                "device": device,
                "threads": threads,
                "milliseconds": 1e3 * timing.median,
                "fastest_milliseconds": 1e3 * min(timing.seconds),
                "times_stock": ratio.median,
                "times_stock_quartiles": [ratio.low, ratio.high],
            }
        )
    return rows


def _place(device: str, threads: int) -> str:
    return "GPU" if device == "cuda" else f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def _sizes(networks: list[int]) -> str:
    return "-".join(map(str, networks))


def _table(rows: list[dict[str, Any]], title: str) -> Table:
    table = Table(title=f"One update of {title}")
    for heading in ("on", "student", "an update", "fastest", "× stock"):
        table.add_column(heading, justify="left" if heading in ("on", "student") else "right", no_wrap=True)
    for row in rows:
        low, high = row["times_stock_quartiles"]
        table.add_row(
            _place(row["device"], row["threads"]),
            row["student"],
            f"{row['milliseconds']:.2f} ms",
            f"{row['fastest_milliseconds']:.2f} ms",
            f"{row['times_stock']:.2f} ({low:.2f}–{high:.2f})",
        )
    return table

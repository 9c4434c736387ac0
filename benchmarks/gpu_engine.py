"""The batched engine on a GPU: steps per second, and whether its results equal the CPU's."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from chiron.envs.walkers.engine.gpu_vector_env import GpuWalkerVectorEnv, require_gpu
from chiron.envs.walkers.engine.vector_env import WalkerVectorEnv
from chiron.envs.walkers.stump_tracks import StumpTracks
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

TARGET = 2_000_000
"""Target for one H200-class GPU with 16,384 slots, steps per second."""
_STRETCH = 50
"""Steps after which all slots are reset, untimed, so that most walkers still stand."""


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Measure the engine with several numbers of slots, print and return the measurements.

    Args:
        console: Where to print.
        options: Unused.

    Raises:
        ValueError: If there is no GPU.
    """
    require_gpu()
    console.print("Timing the engine on the GPU… (the first time it is compiled for a minute)")
    figures = [measure(slots) for slots in (4096, 16_384, 65_536)]
    device = torch.cuda.get_device_name()
    table = Table(
        title=f"StumpTracks on one {device}, random actions, target {TARGET:,} steps/s at 16,384 slots"
    )
    for heading in ("slots", "steps/s", "a step of all", "steps/s with resets", "first steps as the CPU's"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        table.add_row(
            f"{figure['slots']:,}",
            f"{figure['steps_per_second']:,.0f}",
            f"{1e3 * figure['step_seconds']:.2f} ms",
            f"{figure['steps_per_second_with_resets']:,.0f}",
            f"{figure['same_steps']} of {figure['compared_steps']}",
        )
    console.print(table)
    return {"device": device, "target": TARGET, "engine": figures}


def measure(slots: int = 16_384, steps: int = 200, parity_steps: int = 100, seed: int = 0) -> dict[str, Any]:
    """Step many walkers on stumps with random actions, on the GPU.

    Args:
        slots: Number of walkers.
        steps: Timed steps of all slots, without and with resets, after ten untimed ones.
        parity_steps: Steps in which the first 64 slots are compared with the CPU's engine.
        seed: Seeds tasks, tracks and actions.

    Returns:
        `steps_per_second` of `step_on_device` alone, `step_seconds` of one such step of all slots,
        `steps_per_second_with_resets` with every finished slot reset before the next step, and `same_steps`,
        the number of `compared_steps` before any observation, reward or flag differs from the CPU's.

    Raises:
        ValueError: If there is no GPU.
    """
    env = StumpTracks()
    walkers = GpuWalkerVectorEnv(env, slots)
    rng = np.random.default_rng(seed)
    same_steps = _same_steps(GpuWalkerVectorEnv(env, 64), WalkerVectorEnv(env, 64), parity_steps, rng)

    generator = torch.Generator("cuda").manual_seed(seed)

    def reset(mask: NDArray[np.bool_], seed: int | None = None) -> None:
        tasks = env.task_space.sample(rng, slots)
        walkers.reset(seed=seed, options={"task": tasks, "reset_mask": mask})

    def seconds_of(count: int, resetting: bool) -> float:
        torch.cuda.synchronize()
        start = perf_counter()
        for _ in range(count):
            actions = torch.rand((slots, 4), generator=generator, device="cuda") * 2 - 1
            _, _, terminated, truncated, _ = walkers.step_on_device(actions)
            if resetting and (ended := (terminated | truncated).cpu().numpy()).any():
                reset(ended)
        torch.cuda.synchronize()
        return perf_counter() - start

    everyone = np.ones(slots, np.bool_)
    reset(everyone, seed)
    seconds_of(10, resetting=True)
    alone, stretches = 0.0, max(1, steps // _STRETCH)
    for _ in range(stretches):
        reset(everyone)
        alone += seconds_of(_STRETCH, resetting=False) / stretches / _STRETCH
    with_resets = seconds_of(steps, resetting=True) / steps
    return {
        "slots": slots,
        "steps_per_second": slots / alone,
        "step_seconds": alone,
        "steps_per_second_with_resets": slots / with_resets,
        "same_steps": same_steps,
        "compared_steps": parity_steps,
    }


def _same_steps(ours: GpuWalkerVectorEnv, twin: WalkerVectorEnv, steps: int, rng: np.random.Generator) -> int:
    """Number of steps before the results of the two differ in any bit."""
    options = {"task": ours.task_space.sample(rng, ours.num_envs)}
    same = np.array_equal(ours.reset(seed=1, options=options)[0], twin.reset(seed=1, options=options)[0])
    for step in range(steps):
        actions = rng.uniform(-1, 1, ours.action_space.shape or ()).astype(np.float32)
        *given, _ = ours.step(actions)
        *expected, _ = twin.step(actions)
        pairs: Iterable[tuple[Any, Any]] = zip(given, expected, strict=True)
        same = same and all(np.array_equal(a, b) for a, b in pairs)
        if not same:
            return step
    return steps

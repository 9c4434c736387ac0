"""The engine's functions as CUDA kernels: one thread per world.

The kernels call the functions of the CPU's engine, since Numba compiles a `kernel` for any caller. A step is
split where Box2D's phases end, so that a thread holds only the data of one phase in registers. The solver and
the scratch memory of a thread are in CUDA's local memory, whose words the hardware interleaves: when the
threads of a warp go through their rows together, they read one cache line.
"""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, from_dtype
from numba.cuda.cudadrv import nvvm

from .engine import finish_step, source_digest
from .kernel import Record, kernel
from .layout import SCRATCH, TOO_MANY_CONTACTS, solver_layout
from .settings import POSITION_ITERATIONS
from .solver import solve
from .walker import act, judge, observe, start_episode
from .world import collide, start_world

_log = logging.getLogger(__name__)

THREADS = 32
"""Threads per block: single warps spread best if there are few for each multiprocessor."""

_SOLVER, _SCRATCH, _SLOT = from_dtype(solver_layout(1)), from_dtype(SCRATCH), from_dtype(np.dtype("i8"))


class Kernels(NamedTuple):
    """One kernel per phase, in the order of a step after the first; `launch` starts them."""

    start: Any
    """Lays out tracks and puts walkers at their start."""
    collide: Any
    """Sets the motors and finds contact points."""
    solve: Any
    """Solves velocities and positions."""
    finish: Any
    """Sleep, new contacts, and impacts within the step."""
    tell: Any
    """Reward, end and observation."""


@kernel
def _slot_of(i: int, slots: Record, starting: bool, terminated: Record, truncated: Record) -> int:
    """The slot of thread i; -1 if there is none, or if it rests since its episode has ended."""
    if i >= len(slots):
        return -1
    slot: int = slots[i]
    if not starting and (terminated[slot] or truncated[slot]):
        return -1
    return slot


@functools.cache
def load_kernels() -> Kernels:
    """The kernels, each compiled when it is first launched, or found in Numba's cache."""
    _log.warning(
        "loading the engine for the GPU: about a minute if it has yet to be compiled on this machine"
    )
    return _make_kernels(source_digest())


def _on_device(function: Callable[..., None]) -> Any:
    # With link-time optimisation, products and sums would still be contracted. As a decorator with arguments,
    # `cuda.jit(lto=False)(function)`, numba-cuda 0.30 forgets the option.
    try:
        return cuda.jit(function, cache=True, lto=False)
    except RuntimeError:  # no folder of a cache can be written to
        return cuda.jit(function, lto=False)


def _make_kernels(digest: str) -> Kernels:
    @_on_device
    def start_on_device(
        worlds: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        slots: Any,
        ground: Any,
        ground_ends: Any,
        corners: Any,
        corner_starts: Any,
        corner_ends: Any,
        obstacle_ends: Any,
        forces: Any,
        errors: Any,
    ) -> None:
        len(digest)
        i = cuda.grid(1)
        if i < len(slots):
            slot = slots[i]
            point, obstacle = 0, 0
            if i > 0:
                point, obstacle = ground_ends[i - 1], obstacle_ends[i - 1]
            errors[slot] = start_world(
                worlds[slot],
                body[0],
                obstacles[slot],
                segments[slot],
                ground[point : ground_ends[i]],
                corners,
                corner_starts[i],
                corner_ends[obstacle : obstacle_ends[i]],
                forces[i],
            )

    @_on_device
    def collide_on_device(
        worlds: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        slots: Any,
        starting: bool,
        terminated: Any,
        truncated: Any,
        actions: Any,
    ) -> None:
        len(digest)
        slot = _slot_of(cuda.grid(1), slots, starting, terminated, truncated)
        if slot >= 0:
            scratch = cuda.local.array(1, _SCRATCH)
            act(worlds[slot], body[0], actions[slot])
            collide(worlds[slot], body[0], obstacles[slot], segments[slot], scratch[0])

    @_on_device
    def solve_on_device(
        worlds: Any,
        body: Any,
        slots: Any,
        starting: bool,
        terminated: Any,
        truncated: Any,
    ) -> None:
        len(digest)
        slot = _slot_of(cuda.grid(1), slots, starting, terminated, truncated)
        if slot >= 0:
            solver = cuda.local.array(1, _SOLVER)
            alone = cuda.local.array(1, _SLOT)
            alone[0] = slot
            if not solve(solver[0], body[0], worlds, alone, POSITION_ITERATIONS):
                worlds[slot].error = TOO_MANY_CONTACTS

    @_on_device
    def finish_on_device(
        worlds: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        slots: Any,
        starting: bool,
        terminated: Any,
        truncated: Any,
    ) -> None:
        len(digest)
        slot = _slot_of(cuda.grid(1), slots, starting, terminated, truncated)
        if slot >= 0:
            solver = cuda.local.array(1, _SOLVER)
            scratch = cuda.local.array(1, _SCRATCH)
            alone = cuda.local.array(1, _SLOT)
            alone[0] = slot
            finish_step(worlds, alone, body[0], obstacles, segments, solver[0], solver[0], scratch[0])

    @_on_device
    def tell_on_device(
        worlds: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        slots: Any,
        starting: bool,
        terminated: Any,
        truncated: Any,
        observations: Any,
        rewards: Any,
        returns: Any,
        errors: Any,
    ) -> None:
        len(digest)
        slot = _slot_of(cuda.grid(1), slots, starting, terminated, truncated)
        if slot >= 0:
            world = worlds[slot]
            if starting:
                start_episode(world)
                terminated[slot], truncated[slot] = False, False
            else:
                reward, terminated[slot], truncated[slot] = judge(world, body[0])
                rewards[slot] += reward
            observe(world, body[0], obstacles[slot], segments[slot], observations[slot])
            returns[slot] = world.episode_return
            errors[slot] = world.error

    return Kernels(start_on_device, collide_on_device, solve_on_device, finish_on_device, tell_on_device)


def launch(compiled: Any, count: int, *arguments: Any) -> None:
    """Run a kernel with one thread for each of `count` slots."""
    with warnings.catch_warnings():
        # Numba warns of few threads, but resets are small.
        warnings.filterwarnings("ignore", message=".*Grid size")
        configured = compiled[(count + THREADS - 1) // THREADS, THREADS]
    with _uncontracted():
        configured(*arguments)


@contextmanager
def _uncontracted() -> Iterator[None]:
    """Kernels compiled in here round every product and every sum, as the CPU does.

    NVVM would fuse them to multiply-adds. It has an option to prevent that, which Numba does not pass on.
    """
    compile_ir = nvvm.compile_ir
    nvvm.compile_ir = lambda code, **options: compile_ir(code, **{**options, "fma": False})
    try:
        yield
    finally:
        nvvm.compile_ir = compile_ir

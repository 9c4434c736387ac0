"""The compiled entry points: build worlds, and step them in parallel threads.

Only these functions are kept in Numba's cache, with all that they call.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.core.event import Listener, register

from envs.batched.kernel import Record, entry_point, kernel
from envs.batched.layout import LANES, NO_ERROR, SCRATCH, solver_layout
from envs.batched.settings import POSITION_ITERATIONS
from envs.batched.shapes import set_part
from envs.batched.solver import solve, solve_positions_further
from envs.batched.terrain import set_obstacles, set_segments
from envs.batched.walker import act, check_finite, judge, observe, start_episode
from envs.batched.world import collide, finish_step, spawn

_log = logging.getLogger(__name__)

# Numba's OpenMP threads share torch's settings: a student with one thread would get as many as the engine,
# which made training twenty times slower. Its own pool leaves torch alone; one Python thread at a time may
# use it.
if numba.config.THREADING_LAYER == "default":
    numba.config.THREADING_LAYER = "workqueue"

_CACHE_LINE = 64
_FEWEST_LANES = 3
"""From how many worlds on lanes are faster than one world after another."""
_CHUNK_BLOCKS = 4
"""How many blocks of lanes one thread takes at a time: enough to gather stragglers from."""
_FIRST_POSITION_ITERATIONS = 4
"""After how many position iterations stragglers are gathered."""


def _source_digest() -> str:
    """A fingerprint of this package's sources."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _aligned_zeros(count: int, dtype: Any) -> Any:
    """An array that begins on a cache line."""
    size = count * dtype.itemsize
    memory = np.zeros(size + _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    return memory[start : start + size].view(dtype)


class Scratch:
    """Memory for what the threads compute: one element per thread."""

    def __init__(self) -> None:
        threads = numba.config.NUMBA_NUM_THREADS
        self.lanes = _aligned_zeros(threads, solver_layout(LANES))
        self.single = _aligned_zeros(threads, solver_layout(1))
        self.small = _aligned_zeros(threads, SCRATCH)


@kernel
def _advance(
    worlds: Record,
    slots: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    actions: Record,
    lanes: Record,
    single: Record,
    small: Record,
) -> None:
    """Advance a few blocks of worlds by one physics step, side by side where that is faster."""
    count = len(slots)
    for slot in slots:
        act(worlds[slot], body, actions[slot])
        collide(worlds[slot], body, obstacles[slot], segments[slot], small)
    for first in range(0, count, LANES):
        block = slots[first : min(count, first + LANES)]
        few = len(block) < _FEWEST_LANES
        if few or not solve(lanes, body, worlds, block, _FIRST_POSITION_ITERATIONS):
            for i in range(len(block)):
                solve(single, body, worlds, block[i : i + 1], _FIRST_POSITION_ITERATIONS)

    # Gather those that need more position iterations.
    waiting = 0
    for i in range(count):
        if not worlds[slots[i]].position_solved:
            small.waiting[waiting] = slots[i]
            waiting += 1
        if waiting > 0 and (waiting == LANES or i == count - 1):
            rest = POSITION_ITERATIONS - _FIRST_POSITION_ITERATIONS
            few = waiting < _FEWEST_LANES
            if few or not solve_positions_further(lanes, body, worlds, small.waiting[:waiting], rest):
                for k in range(waiting):
                    solve_positions_further(single, body, worlds, small.waiting[k : k + 1], rest)
            waiting = 0

    for slot in slots:
        finish_step(worlds[slot], body, obstacles[slot], segments[slot], single, small)
        check_finite(worlds[slot], body)


@kernel
def _step_chunk(
    worlds: Record,
    slots: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    actions: Record,
    starting: bool,
    observations: Record,
    rewards: Record,
    terminated: Record,
    truncated: Record,
    errors: Record,
    lanes: Record,
    single: Record,
    small: Record,
) -> None:
    """Advance a few blocks of worlds, and tell how that went."""
    _advance(worlds, slots, body, obstacles, segments, actions, lanes, single, small)
    for slot in slots:
        world = worlds[slot]
        if starting:
            start_episode(world)
        else:
            rewards[slot], terminated[slot], truncated[slot] = judge(world, body)
        observe(world, body, obstacles[slot], segments[slot], observations[slot])
        errors[slot] = world.error


def _make_entry_points(digest: str) -> tuple[Callable[..., Any], ...]:
    @entry_point()
    def set_body_part(
        body: Any,
        b: int,
        xs: Any,
        ys: Any,
        is_box: bool,
        density: float,
        friction1: float,
        friction2: float,
    ) -> Any:
        len(digest)
        return set_part(body[0].parts[b], xs, ys, is_box, density, friction1, friction2)

    @entry_point()
    def build_worlds(
        worlds: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        slots: Any,
        ground: Any,
        ground_ends: Any,
        corners: Any,
        corner_ends: Any,
        obstacle_ends: Any,
        forces: Any,
        errors: Any,
    ) -> None:
        """Lay out tracks, and put walkers at their start.

        Ground points, corners and ends of obstacles of all tracks follow one another. `ground_ends` and
        `obstacle_ends` say where those of each track end, `corner_ends` where the corners of each obstacle
        end among those of its track.
        """
        len(digest)
        point, obstacle, corner = 0, 0, 0
        for i in range(len(slots)):
            slot = slots[i]
            points = ground[point : ground_ends[i]]
            ends = corner_ends[obstacle : obstacle_ends[i]]
            point, obstacle = ground_ends[i], obstacle_ends[i]
            error = set_segments(segments[slot], points)
            if error == NO_ERROR:
                error = set_obstacles(obstacles[slot], corners, corner, ends)
            if len(ends) > 0:
                corner += ends[-1]
            if error == NO_ERROR:
                spawn(
                    worlds[slot],
                    body[0],
                    obstacles[slot],
                    segments[slot],
                    len(ends),
                    len(points) - 1,
                    forces[i],
                )
            errors[slot] = error

    @entry_point(parallel=True)
    def step_worlds(
        worlds: Any,
        slots: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        actions: Any,
        starting: bool,
        observations: Any,
        rewards: Any,
        terminated: Any,
        truncated: Any,
        errors: Any,
        lanes: Any,
        single: Any,
        small: Any,
    ) -> None:
        """Advance the worlds of some slots, in the first step of their episodes or a later one."""
        len(digest)
        count = len(slots)
        size = LANES * _CHUNK_BLOCKS
        # Sharing so few among threads takes longer than stepping them does.
        if count <= size:
            _step_chunk(
                worlds,
                slots,
                body[0],
                obstacles,
                segments,
                actions,
                starting,
                observations,
                rewards,
                terminated,
                truncated,
                errors,
                lanes[0],
                single[0],
                small[0],
            )
            return
        for chunk in prange((count + size - 1) // size):
            thread = numba.get_thread_id()
            _step_chunk(
                worlds,
                slots[chunk * size : min(count, (chunk + 1) * size)],
                body[0],
                obstacles,
                segments,
                actions,
                starting,
                observations,
                rewards,
                terminated,
                truncated,
                errors,
                lanes[thread],
                single[thread],
                small[thread],
            )

    return set_body_part, build_worlds, step_worlds


set_body_part, build_worlds, step_worlds = _make_entry_points(_source_digest())


class _Announcement(Listener):  # type: ignore[misc]  # numba is untyped
    """Says why nothing seems to happen while the engine is compiled."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"] is step_worlds:
            _log.warning("compiling the batched engine: most of a minute, once on this machine")

    def on_end(self, event: Any) -> None:
        pass


register("numba:compile", _Announcement())

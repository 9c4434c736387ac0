"""The compiled entry points: build worlds, and step them.

Only these functions are kept in Numba's cache, with all that they call.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba.core.event import Listener, register

from .continuous import end_impact, find_impact
from .impact_solver import solve_impacts
from .kernel import Record, entry_point, kernel
from .layout import CHUNK, LANES, NO_ERROR, SCRATCH, solver_layout
from .settings import POSITION_ITERATIONS
from .shapes import set_part
from .solver import solve, solve_positions_further
from .walker import act, check_finite, judge, observe, start_episode
from .world import collide, settle, start_world

_log = logging.getLogger(__name__)

_CACHE_LINE = 64
_FEWEST_LANES = 3
"""From how many worlds on lanes are faster than one world after another."""
_FIRST_POSITION_ITERATIONS = 4
"""After how many position iterations stragglers are gathered."""


def source_digest() -> str:
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
    """Memory for what one thread computes."""

    def __init__(self) -> None:
        self.lanes = _aligned_zeros(1, solver_layout(LANES))
        self.single = _aligned_zeros(1, solver_layout(1))
        self.small = _aligned_zeros(1, SCRATCH)


@kernel
def finish_step(
    worlds: Record,
    slots: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    lanes: Record,
    single: Record,
    small: Record,
) -> None:
    """What follows the discrete solution of a few blocks of worlds.

    Every world looks for its next impact by itself; those of one and the same part are solved side by side.
    """
    meeting, block = small.meeting, small.block
    count = len(slots)
    for i in range(count):
        slot = slots[i]
        meeting[i] = slot
        settle(worlds[slot], body, obstacles[slot], segments[slot])
    while count > 0:
        left = 0
        for i in range(count):
            slot = meeting[i]
            if find_impact(worlds[slot], body, obstacles[slot], segments[slot], small):
                meeting[left] = slot
                left += 1
        count = left
        for b in range(body.n_parts):
            n = 0
            for i in range(count):
                world = worlds[meeting[i]]
                if world.contacts[world.impact_place].part == b:
                    block[n] = meeting[i]
                    n += 1
                if n == LANES or (n > 0 and i == count - 1):
                    if n < _FEWEST_LANES:
                        for k in range(n):
                            solve_impacts(single, body, b, worlds, block[k : k + 1])
                    else:
                        solve_impacts(lanes, body, b, worlds, block[:n])
                    n = 0
        for i in range(count):
            slot = meeting[i]
            end_impact(worlds[slot], body, obstacles[slot], segments[slot])
    for slot in slots:
        check_finite(worlds[slot], body)


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
            small.block[waiting] = slots[i]
            waiting += 1
        if waiting > 0 and (waiting == LANES or i == count - 1):
            rest = POSITION_ITERATIONS - _FIRST_POSITION_ITERATIONS
            few = waiting < _FEWEST_LANES
            if few or not solve_positions_further(lanes, body, worlds, small.block[:waiting], rest):
                for k in range(waiting):
                    solve_positions_further(single, body, worlds, small.block[k : k + 1], rest)
            waiting = 0

    finish_step(worlds, slots, body, obstacles, segments, lanes, single, small)


@kernel
def _step_chunk(
    worlds: Record,
    slots: Record,
    body: Record,
    obstacles: Record,
    segments: Record,
    actions: Record,
    times: int,
    observations: Record,
    rewards: Record,
    terminated: Record,
    truncated: Record,
    errors: Record,
    lanes: Record,
    single: Record,
    small: Record,
) -> None:
    """Advance a few blocks of worlds, once or until their episodes end, and tell how that went."""
    playing = small.playing
    count = len(slots)
    for i in range(count):
        playing[i] = slots[i]
        rewards[slots[i]] = 0.0
    for _ in range(max(times, 1)):
        _advance(worlds, playing[:count], body, obstacles, segments, actions, lanes, single, small)
        left = 0
        for i in range(count):
            slot = playing[i]
            world = worlds[slot]
            errors[slot] = world.error
            if times == 0:
                start_episode(world)
                terminated[slot] = truncated[slot] = False
                continue
            reward, terminated[slot], truncated[slot] = judge(world, body)
            rewards[slot] += reward
            if not (terminated[slot] or truncated[slot] or world.error != NO_ERROR):
                playing[left] = slot
                left += 1
        count = left
        if count == 0:
            break
    for slot in slots:
        observe(worlds[slot], body, obstacles[slot], segments[slot], observations[slot])


def _make_entry_points(digest: str) -> tuple[Callable[..., Any], ...]:
    @entry_point
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

    @entry_point
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
            errors[slot] = start_world(
                worlds[slot],
                body[0],
                obstacles[slot],
                segments[slot],
                points,
                corners,
                corner,
                ends,
                forces[i],
            )
            if len(ends) > 0:
                corner += ends[-1]

    @entry_point
    def step_worlds(
        worlds: Any,
        slots: Any,
        body: Any,
        obstacles: Any,
        segments: Any,
        actions: Any,
        times: int,
        observations: Any,
        rewards: Any,
        terminated: Any,
        truncated: Any,
        errors: Any,
        lanes: Any,
        single: Any,
        small: Any,
    ) -> None:
        """Advance the worlds of some slots by as many steps as actions are repeated; 0: by their first step.

        Other Python threads run meanwhile, and may advance other slots, with scratch memory of their own.
        """
        len(digest)
        count = len(slots)
        for first in range(0, count, CHUNK):
            _step_chunk(
                worlds,
                slots[first : min(count, first + CHUNK)],
                body[0],
                obstacles,
                segments,
                actions,
                times,
                observations,
                rewards,
                terminated,
                truncated,
                errors,
                lanes[0],
                single[0],
                small[0],
            )

    return set_body_part, build_worlds, step_worlds


set_body_part, build_worlds, step_worlds = _make_entry_points(source_digest())


class _Announcement(Listener):  # type: ignore[misc]  # numba is untyped
    """Says why nothing seems to happen while the engine is compiled."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"] is step_worlds:
            _log.warning("compiling the batched engine: most of a minute, once on this machine")

    def on_end(self, event: Any) -> None:
        pass


register("numba:compile", _Announcement())

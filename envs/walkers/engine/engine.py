"""The compiled entry points: build worlds, and step them.

Only these functions are stored in Numba's cache, with everything that they call.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba.core.event import Listener, register

from .continuous import end_impact, find_impact
from .impact_solver import solve_impacts
from .kernel import Record, entry_point, kernel
from .layout import CHUNK, LANES, MAX_CONTACTS, NO_ERROR, SCRATCH, solver_layout
from .settings import POSITION_ITERATIONS
from .shapes import set_part
from .solver import solve, solve_positions_further
from .walker import act, check_finite, judge, observe, start_episode
from .world import collide, settle, start_world

_log = logging.getLogger(__name__)

_CACHE_LINE = 64
_FEWEST_LANES = 3
"""Smallest number of worlds for which lanes are faster than one world after another."""
_FIRST_POSITION_ITERATIONS = 4
"""Number of position iterations after which stragglers are gathered."""


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


class Walkers(NamedTuple):
    """The moving state and the tracks; one row per slot, except for the body."""

    worlds: Any
    """Records of layout `WORLD`, shape (n,)."""
    body: Any
    """A record of layout `BODY`, shape (1,)."""
    obstacles: Any
    """Records of layout `OBSTACLE`, shape (n, most obstacles)."""
    segments: Any
    """Records of layout `SEGMENT`, shape (n, most segments)."""


class Tracks(NamedTuple):
    """Tracks and initial forces of some slots, concatenated."""

    ground: Any
    """Points of the grounds of all tracks, float32 of shape (points, 2)."""
    ground_ends: Any
    """End of each track's points, int64 of shape (slots,)."""
    corners: Any
    """Corners of all obstacles, float32 of shape (corners, 2)."""
    corner_ends: Any
    """End of each obstacle's corners within its track, int64 of shape (obstacles,)."""
    obstacle_ends: Any
    """End of each track's obstacles, int64 of shape (slots,)."""
    forces: Any
    """Horizontal force on each hull during the first step, newtons, float32 of shape (slots,)."""


class Results(NamedTuple):
    """Results of a step, one row per slot."""

    observations: Any
    """float32 of shape (n, observations)."""
    rewards: Any
    """float64 of shape (n,)."""
    terminated: Any
    """bool of shape (n,)."""
    truncated: Any
    """bool of shape (n,)."""
    errors: Any
    """int32 of shape (n,); 0 is none."""


class Scratch(NamedTuple):
    """Working memory of one thread."""

    lanes: Any
    """A solver of `LANES` worlds side by side, shape (1,)."""
    single: Any
    """A solver of one world, shape (1,)."""
    small: Any
    """A record of layout `SCRATCH`, shape (1,)."""

    @classmethod
    def new(cls) -> Scratch:
        """Memory of zeros that begins on cache lines."""
        return cls(
            _aligned_zeros(1, solver_layout(LANES)),
            _aligned_zeros(1, solver_layout(1, MAX_CONTACTS)),
            _aligned_zeros(1, SCRATCH),
        )


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
    """Finish a step of a few blocks of worlds after the discrete solution.

    Every world finds its next impact separately; impacts of the same part are solved side by side.
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
def _advance(walkers: Walkers, slots: Record, actions: Record, scratch: Scratch) -> None:
    """Advance a few blocks of worlds by one physics step, side by side where that is faster."""
    worlds, body = walkers.worlds, walkers.body[0]
    obstacles, segments = walkers.obstacles, walkers.segments
    lanes, single, small = scratch.lanes[0], scratch.single[0], scratch.small[0]
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
    walkers: Walkers, slots: Record, actions: Record, times: int, results: Results, scratch: Scratch
) -> None:
    """Advance a few blocks of worlds by `times` steps or until their episodes end, and write the results."""
    worlds, body = walkers.worlds, walkers.body[0]
    observations, rewards, terminated, truncated, errors = results
    playing = scratch.small[0].playing
    count = len(slots)
    for i in range(count):
        playing[i] = slots[i]
        rewards[slots[i]] = 0.0
    for _ in range(max(times, 1)):
        _advance(walkers, playing[:count], actions, scratch)
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
        observe(worlds[slot], body, walkers.obstacles[slot], walkers.segments[slot], observations[slot])


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
    def build_worlds(walkers: Walkers, slots: Any, tracks: Tracks, errors: Any) -> None:
        """Lay out tracks, and put walkers at their start."""
        len(digest)
        point, obstacle, corner = 0, 0, 0
        for i in range(len(slots)):
            slot = slots[i]
            points = tracks.ground[point : tracks.ground_ends[i]]
            ends = tracks.corner_ends[obstacle : tracks.obstacle_ends[i]]
            point, obstacle = tracks.ground_ends[i], tracks.obstacle_ends[i]
            errors[slot] = start_world(
                walkers.worlds[slot],
                walkers.body[0],
                walkers.obstacles[slot],
                walkers.segments[slot],
                points,
                tracks.corners,
                corner,
                ends,
                tracks.forces[i],
            )
            if len(ends) > 0:
                corner += ends[-1]

    @entry_point
    def step_worlds(
        walkers: Walkers, slots: Any, actions: Any, times: int, results: Results, scratch: Scratch
    ) -> None:
        """Advance the worlds of some slots by `times` steps; 0 makes the first step of their episodes.

        Other Python threads may run meanwhile and advance other slots, with their own scratch memory.
        """
        len(digest)
        count = len(slots)
        for first in range(0, count, CHUNK):
            _step_chunk(walkers, slots[first : min(count, first + CHUNK)], actions, times, results, scratch)

    return set_body_part, build_worlds, step_worlds


set_body_part, build_worlds, step_worlds = _make_entry_points(source_digest())


class _Announcement(Listener):  # type: ignore[misc]  # numba is untyped
    """Logs that the engine is being compiled, which takes long."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"] is step_worlds:
            _log.warning("compiling the batched engine: most of a minute, once on this machine")

    def on_end(self, event: Any) -> None:
        pass


register("numba:compile", _Announcement())

"""Many walkers stepped by one compiled call, as a Gymnasium vector environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...task_space import Task, TaskSettings
from ...vector.batch_vector_env import BatchVectorEnv, TaskEnv
from ...vector.reset_arguments import slot_generator
from ..track import Polygons, Track
from ..walker_body import WalkerBody
from ..walker_simulation import INITIAL_FORCE
from . import layout
from .body import body_record
from .engine import Results, Scratch, Tracks, Walkers, build_worlds, step_worlds
from .team import Team

_PROBLEMS = {
    layout.TOO_MANY_CONTACTS: (
        f"has more than {layout.MAX_CONTACTS} contacts, which is all the engine takes: use engine=box2d"
    ),
    layout.NOT_FINITE: "is not finite any more",
    layout.BAD_OBSTACLE: (
        f"has an obstacle that is not a convex polygon of 3 to {layout.MAX_VERTICES} corners with an area"
    ),
    layout.BAD_GROUND: "has ground points that do not increase in x",
}

_FIRST_STEP = 0
"""Number of times an action is played in the step that a reset makes."""
_PIECES_PER_THREAD = 2
"""Smallest number of pieces per thread, so that a thread with hard slots leaves the rest to others."""
_SMALLEST_PIECE = 2 * layout.LANES
"""Sharing fewer slots costs as much as it saves, and a single block has fewer stragglers to gather."""


class Walker(TaskEnv, Protocol):
    """What the engine requires of an env: body, tracks, tasks and episodes, as in `WalkerEnv`."""

    @property
    def body(self) -> WalkerBody:
        """The walker's body."""

    @property
    def settings(self) -> TaskSettings:
        """Which parameters the task sets, and the values of the others."""

    @property
    def time_limit(self) -> int:
        """Steps after which an episode is truncated."""

    def make_track(self, rng: np.random.Generator, **parameters: Any) -> Track:
        """Lay out the track of one episode."""


class EngineError(RuntimeError):
    """A slot cannot be computed: the engine's arrays cannot hold its track or state."""


class WalkerVectorEnv(BatchVectorEnv):
    """The walkers of `SyncTaskVectorEnv`, bit for bit, at a fraction of the cost.

    The first use on a machine compiles the engine, which takes most of a minute; later ones find it in
    Numba's cache. `reset` raises `EngineError` if the engine cannot hold a track.

    Args:
        env: An env that the slots are like. It defines tasks, tracks, body and episodes, and is not stepped
            itself.
        num_envs: Number of slots.
        n_threads: Number of threads that step them, limited to the number of processors.
        action_repeat: How often each action is played in a row, as one step whose reward is the sum; a slot
            stops when its episode ends.

    Raises:
        ValueError: If there are no slots or threads, an action would not be played, or the body is larger
            than the engine's arrays.

    Attributes:
        env: As given.
        generators: Random generator of each slot, for tracks and initial forces; None until its first reset.
        steps: How often all slots were stepped.
    """

    env: Walker

    def __init__(self, env: Walker, num_envs: int, n_threads: int = 1, action_repeat: int = 1) -> None:
        super().__init__(env, num_envs, action_repeat)
        if n_threads < 1:
            raise ValueError(f"n_threads={n_threads} must be at least 1")
        self._team = Team(min(n_threads, os.cpu_count() or 1, -(-num_envs // _SMALLEST_PIECE)))
        self.steps = 0

        joints = len(env.body.joints)
        self._body = body_record(env.body, env.time_limit)
        self._worlds = _with_room(np.zeros(num_envs, layout.world_layout(0)), layout.MAX_CONTACTS)
        self._obstacles = np.zeros((num_envs, 64), layout.OBSTACLE)
        self._segments = np.zeros((num_envs, 256), layout.SEGMENT)
        self._started = np.zeros(num_envs, dtype=np.bool_)

        self._observations = np.zeros(self.observation_space.shape or (), dtype=np.float32)
        self._actions = np.zeros((num_envs, joints), dtype=np.float32)
        self._no_actions = np.zeros((num_envs, joints), dtype=np.float32)
        self._everyone = np.arange(num_envs)
        self._rewards = np.zeros(num_envs, dtype=np.float64)
        self._errors = np.zeros(num_envs, dtype=np.int32)
        self._scratch = [Scratch.new() for _ in range(self._team.size)]

    def _begin(
        self, slots: NDArray[np.int64], tasks: NDArray[np.float32], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float32]:
        tracks, forces = [], []
        for task, generator in zip(tasks, generators, strict=True):
            tracks.append(self.env.make_track(generator, **self.env.settings.values_in(task)))
            forces.append(generator.uniform(-INITIAL_FORCE, INITIAL_FORCE))
        self._tasks[slots] = tasks
        return self.start(slots, tracks, forces)

    def start(
        self, slots: NDArray[np.int64] | Sequence[int], tracks: Sequence[Track], forces: Sequence[float]
    ) -> NDArray[np.float32]:
        """Put the walkers of some slots on any tracks.

        Args:
            slots: The slots, without repetition.
            tracks: Ground and obstacles, one per slot.
            forces: Horizontal force on the hull during the first step, newtons, one per slot.

        Returns:
            The observations of all slots.

        Raises:
            IndexError: If there is no such slot.
            ValueError: If the numbers of slots, tracks and forces differ, or slots repeat.
            EngineError: If the engine cannot hold a track.
        """
        chosen = np.array(slots, dtype=np.int64)
        if not len(chosen) == len(tracks) == len(forces) == len(set(chosen.tolist())):
            raise ValueError(
                f"start() takes one track and one force for each of {len(chosen)} different slots, got "
                f"{len(tracks)} and {len(forces)} for slots {chosen.tolist()}"
            )
        if not ((chosen >= 0) & (chosen < self.num_envs)).all():
            raise IndexError(f"slots {chosen.tolist()} must lie in [0, {self.num_envs})")
        grounds = [track.ground for track in tracks]
        polygons = [Polygons.of(track.obstacles) for track in tracks]
        self._make_room(max(map(len, polygons)), max(map(len, grounds)))
        self._started[chosen] = False
        laid_out = Tracks(
            np.concatenate(grounds, dtype=np.float32),
            np.cumsum([len(ground) for ground in grounds]),
            np.concatenate([part.corners for part in polygons], dtype=np.float32),
            np.concatenate([part.ends for part in polygons]),
            np.cumsum([len(part) for part in polygons]),
            np.array(forces, dtype=np.float32),
        )
        self._build(chosen, laid_out)
        self._report_problems()
        self._advance(chosen, self._no_actions, _FIRST_STEP)
        self._started[chosen] = True
        return self._observations.copy()

    def _build(self, slots: NDArray[np.int64], tracks: Tracks) -> None:
        """Lay out the tracks of some slots, and put walkers at the start."""
        build_worlds(self._walkers(), slots, tracks, self._errors)

    def _walkers(self) -> Walkers:
        return Walkers(self._worlds, self._body, self._obstacles, self._segments)

    def _advance(self, slots: NDArray[np.int64], actions: NDArray[np.float32], times: int) -> None:
        walkers = self._walkers()
        results = Results(self._observations, self._rewards, self._terminated, self._truncated, self._errors)

        def advance(thread: int, piece: NDArray[np.int64]) -> None:
            step_worlds(walkers, piece, actions, times, results, self._scratch[thread])

        self._team.share(advance, self._pieces(slots))
        self._report_problems()

    def _pieces(self, slots: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The pieces of work that threads take at a time."""
        if self._team.size == 1:
            return [slots]
        wanted = len(slots) // (_PIECES_PER_THREAD * self._team.size)
        size = layout.CHUNK if wanted >= layout.CHUNK else _SMALLEST_PIECE
        return [slots[first : first + size] for first in range(0, len(slots), size)]

    def _make_room(self, obstacles: int, segments: int) -> None:
        """Grow the arrays to twice the size that the tracks need, so that it happens rarely."""
        for name, needed in (("_obstacles", obstacles), ("_segments", segments)):
            array = getattr(self, name)
            if needed > array.shape[1]:
                grown = np.zeros((self.num_envs, 2 * needed), array.dtype)
                grown[:, : array.shape[1]] = array
                setattr(self, name, grown)

    def step(
        self, actions: Any
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Advance slots that are not resting by 1/50 s, `action_repeat` times.

        Args:
            actions: float32 of shape (n, joints).

        Returns:
            Observations, rewards, terminated, truncated, and infos that hold `is_success` of the slots whose
            episode ended.

        Raises:
            RuntimeError: If a slot has not been reset yet.
            EngineError: If a state is no longer finite.
        """
        self._require_episodes()
        self._actions[:] = actions
        resting = self._terminated | self._truncated
        slots = np.flatnonzero(~resting) if resting.any() else self._everyone
        if len(slots):
            self._advance(slots, self._actions, self.action_repeat)
        self._rewards[resting] = 0.0
        self.steps += 1
        infos: dict[str, Any] = {}
        ended = (self._terminated | self._truncated) & ~resting
        if ended.any():
            mastered = self._episode_returns() > self.mastered_return
            infos = {"is_success": mastered & ended, "_is_success": ended}
        return (
            self._observations.copy(),
            self._rewards.copy(),
            self._terminated.copy(),
            self._truncated.copy(),
            infos,
        )

    def _require_episodes(self) -> None:
        if not self._started.all():
            slot = int(np.flatnonzero(~self._started)[0])
            raise RuntimeError(f"call reset() before step(): slot {slot} has no episode")

    def _episode_returns(self) -> NDArray[np.float64]:
        returns: NDArray[np.float64] = self._worlds["episode_return"]
        return returns

    def _report_problems(self) -> None:
        if not self._errors.any():
            return
        slot = int(np.flatnonzero(self._errors)[0])
        problem = _PROBLEMS[int(self._errors[slot])]
        self._errors[:] = 0
        self._started[slot] = False
        task = self.task_space.shown(self._tasks[slot])
        count = int(self._worlds["steps"][slot])
        raise EngineError(
            f"the walker of slot {slot} {problem}, at step {count} of its episode in task ({task})"
        )

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads."""
        self._team.close()

    def task_of(self, slot: int) -> Task:
        """The task that a slot plays, float32 of shape (d,)."""
        task: Task = self._tasks[slot].copy()
        return task

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later step depends on: arrays, and the states of the generators."""
        return {
            "worlds": _with_room(self._worlds, _places_used(self._worlds)),
            "obstacles": self._obstacles.copy(),
            "segments": self._segments.copy(),
            "tasks": self._tasks.copy(),
            "started": self._started.copy(),
            "observations": self._observations.copy(),
            "terminated": self._terminated.copy(),
            "truncated": self._truncated.copy(),
            "generators": [g.bit_generator.state if g is not None else None for g in self.generators],
            "steps": self.steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned, in a vector env of the same kind and number of slots.

        Raises:
            ValueError: If the state has another layout or another number of slots.
        """
        worlds = state["worlds"]
        expected = layout.world_layout(worlds.dtype["contact_order"].shape[0])
        if worlds.dtype != expected or worlds.shape != (self.num_envs,):
            raise ValueError(
                f"the state has {len(worlds)} slots of layout {worlds.dtype.itemsize}, this vector env "
                f"{self.num_envs} of {expected.itemsize}"
            )
        self._worlds = _with_room(worlds, layout.MAX_CONTACTS)
        # Files do not store the alignment of dtypes, without which the engine would be compiled again.
        self._obstacles = state["obstacles"].astype(layout.OBSTACLE)
        self._segments = state["segments"].astype(layout.SEGMENT)
        self._tasks = state["tasks"].copy()
        self._started = state["started"].copy()
        self._observations = state["observations"].copy()
        self._terminated = state["terminated"].copy()
        self._truncated = state["truncated"].copy()
        self.steps = state["steps"]
        for slot, saved in enumerate(state["generators"]):
            self.generators[slot] = None
            if saved is not None:
                generator = slot_generator(self.generators, slot, 0)
                generator.bit_generator.state = saved


def _places_used(worlds: NDArray[Any]) -> int:
    """Number of contact places that matter: all later ones are free and in their initial order."""
    order = worlds["contact_order"]
    moved = np.flatnonzero((order != np.arange(order.shape[1])).any(axis=0))
    return int(max(worlds["contact_count"].max(initial=0), moved.max(initial=-1) + 1))


def _with_room(worlds: NDArray[Any], n_contacts: int) -> NDArray[Any]:
    """A copy with room for a different number of contacts, at least as many as matter."""
    resized = np.zeros(worlds.shape, layout.world_layout(n_contacts))
    resized["contact_order"] = np.arange(n_contacts)
    kept = min(n_contacts, worlds["contact_order"].shape[1])
    for name in worlds.dtype.names or ():
        if name in ("contact_order", "contacts"):
            resized[name][:, :kept] = worlds[name][:, :kept]
        else:
            resized[name] = worlds[name]
    return resized

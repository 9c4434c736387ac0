"""Many walkers stepped by one compiled call, as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.batched import layout
from envs.batched.body import body_record
from envs.batched.engine import Scratch, start_worlds, step_worlds
from envs.task_space import TaskSpace
from envs.track import Track
from envs.walker_env import INITIAL_FORCE, WalkerEnv


class EngineError(RuntimeError):
    """A world has left what the engine can compute: its state is not finite, or it has too many contacts."""


class BatchedWalkers(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """The worlds of `VectorLoop`, bit for bit, at a fraction of the cost.

    Slots are never reset on their own: whoever steps them resets those whose episode ended.

    Args:
        world: A world of the kind wanted. It says what tasks, tracks, body and episodes are, and is not
            stepped itself.
        num_envs: How many slots.

    Raises:
        ValueError: If there are no slots, or the body is larger than the engine's arrays.
    """

    def __init__(self, world: WalkerEnv, num_envs: int) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs={num_envs} must be at least 1")
        self.num_envs = num_envs
        self.world = world
        self.single_observation_space = world.observation_space
        self.single_action_space = world.action_space
        self.observation_space = batch_space(world.observation_space, num_envs)
        self.action_space = batch_space(world.action_space, num_envs)
        self.metadata = {**world.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.render_mode = None
        self.spec = world.spec
        self.steps = 0

        self._body = body_record(world.body, world.time_limit)
        self._worlds = np.zeros(num_envs, layout.WORLD)
        self._obstacles = np.zeros((num_envs, 64), layout.OBSTACLE)
        self._segments = np.zeros((num_envs, 256), layout.SEGMENT)
        self._tasks = np.tile(self.task_space.default, (num_envs, 1))
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._started = np.zeros(num_envs, dtype=np.bool_)

        self._observations = np.zeros((num_envs, *world.observation_space.shape), dtype=np.float32)
        self._actions = np.zeros((num_envs, len(world.body.joints)), dtype=np.float32)
        self._no_actions = np.zeros(len(world.body.joints), dtype=np.float32)
        self._rewards = np.zeros(num_envs, dtype=np.float64)
        self._terminated = np.zeros(num_envs, dtype=np.bool_)
        self._truncated = np.zeros(num_envs, dtype=np.bool_)
        self._errors = np.zeros(num_envs, dtype=np.int32)
        self._scratch = Scratch()

    @property
    def task_space(self) -> TaskSpace:
        """The space of the worlds' tasks."""
        return self.world.task_space

    def start(
        self, slots: Sequence[int], tracks: Sequence[Track], forces: Sequence[float]
    ) -> NDArray[np.float32]:
        """Put the walkers of some slots on tracks, whatever these were made from.

        Args:
            slots: Which slots, without repetition.
            tracks: Ground and obstacles, one per slot.
            forces: Horizontal force on the hull during the first step, newtons, one per slot.

        Returns:
            The observations of all slots.
        """
        corners = [corner for track in tracks for corner in track.obstacles]
        points = np.concatenate(corners) if corners else np.zeros((0, 2), np.float32)
        self._grow(
            max(len(track.obstacles) for track in tracks), max(len(track.ground) for track in tracks) - 1
        )
        start_worlds(
            self._worlds,
            self._body,
            self._obstacles,
            self._segments,
            np.asarray(slots, dtype=np.int64),
            np.concatenate([track.ground for track in tracks]),
            np.cumsum([len(track.ground) for track in tracks]),
            np.ascontiguousarray(points[:, 0]),
            np.ascontiguousarray(points[:, 1]),
            np.cumsum([len(corner) for corner in corners], dtype=np.int64),
            np.cumsum([len(track.obstacles) for track in tracks]),
            np.asarray(forces, dtype=np.float32),
            self._no_actions,
            self._observations,
            self._errors,
            self._scratch.single,
            self._scratch.small,
        )
        self._started[list(slots)] = True
        return self._observations.copy()

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, as arrays."""
        return {"worlds": self._worlds.copy()}

    def _grow(self, obstacles: int, segments: int) -> None:
        for name, needed in (("_obstacles", obstacles), ("_segments", segments)):
            array = getattr(self, name)
            if needed > array.shape[1]:
                grown = np.zeros((self.num_envs, 2 * needed), array.dtype)
                grown[:, : array.shape[1]] = array
                setattr(self, name, grown)

    def step(self, actions: Any) -> Any:
        """Step every slot."""
        self._actions[:] = actions
        step_worlds(
            self._worlds,
            self._body,
            self._obstacles,
            self._segments,
            self._actions,
            self._observations,
            self._rewards,
            self._terminated,
            self._truncated,
            self._errors,
            self._scratch.lanes,
            self._scratch.single,
            self._scratch.small,
        )
        self.steps += 1
        return (
            self._observations.copy(),
            self._rewards.copy(),
            self._terminated.copy(),
            self._truncated.copy(),
            {},
        )

"""The Gymnasium environment that all walker worlds share: reward, termination, and reset into a task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, overload

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.task_space import Setting, TaskSettings, TaskSpace
from envs.track import FINISH_X, Track
from envs.walker_body import WalkerBody, find_body
from envs.walker_world import LIDAR_RAYS, WalkerWorld

if TYPE_CHECKING:
    from envs.batched.vector_env import BatchedWalkers

ENGINES = ("box2d", "batched")
INITIAL_FORCE = 5.0
"""Largest horizontal force on the hull during the first step of an episode, newtons."""
_FALL_REWARD = -100.0


class _TaskSpaceAttribute:
    """`World.task_space()` is the space of the default world; `world.task_space` is a world's own."""

    @overload
    def __get__(self, env: None, owner: type[WalkerEnv]) -> Callable[[], TaskSpace]: ...
    @overload
    def __get__(self, env: WalkerEnv, owner: type[WalkerEnv]) -> TaskSpace: ...
    def __get__(self, env: WalkerEnv | None, owner: type[WalkerEnv]) -> TaskSpace | Callable[[], TaskSpace]:
        if env is None:
            return lambda: owner().task_space  # type: ignore[call-arg]  # subclasses have defaults
        return env.settings.space


class WalkerEnv(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A walker that is paid for going forward over a track. Subclasses turn a task into the track.

    Args:
        settings: For each parameter of the track a pair of bounds, which makes it a dimension of the
            task, or a number, which fixes it.
        body: The walker, by name or as data.
        engine: What steps many of these worlds together: "box2d" in a loop or in worker processes, "batched"
            all in one compiled call (`envs.batched`). It does not change what happens in them.

    Raises:
        ValueError: If no parameter is left to the task, bounds are reversed, or body or engine is unknown.

    Attributes:
        task_space: The space of this world's tasks.
        units: The unit of each parameter.
        easy_high: The parameters whose tasks are easy at the high end of their range.
        time_limit: Steps after which an episode is truncated.
        return_range: Lowest and highest episode return, for teachers that want returns in [0, 1].
        mastered_return: A task is mastered in an episode whose return is above this.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)
    task_space = _TaskSpaceAttribute()
    units: ClassVar[dict[str, str]] = {}
    easy_high: ClassVar[frozenset[str]] = frozenset()
    time_limit: ClassVar[int] = 2000
    return_range: ClassVar[tuple[float, float]] = (-150.0, 350.0)
    mastered_return: ClassVar[float] = 230.0

    def __init__(
        self, settings: Mapping[str, Setting], body: str | WalkerBody, engine: str = "box2d"
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine={engine!r} must be one of {list(ENGINES)}")
        self.engine = engine
        self.settings = TaskSettings(settings, self.units, self.easy_high)
        self.body = find_body(body)
        actions: spaces.Box[Any] = spaces.Box(-1.0, 1.0, (len(self.body.joints),), np.float32)
        self.action_space = actions
        self.observation_space = self._make_observation_space()
        self._world: WalkerWorld | None = None

    @classmethod
    def batched(cls, num_envs: int, **settings: Any) -> BatchedWalkers:
        """Many of these worlds, stepped by one compiled call: what `gymnasium.make_vec` gives.

        Args:
            num_envs: How many slots.
            settings: Arguments of the world.
        """
        from envs.batched.vector_env import BatchedWalkers

        return BatchedWalkers(cls(**settings), num_envs)

    def _make_observation_space(self) -> spaces.Box[Any]:
        # The bounds of Gymnasium's walker: speeds are given in rated speeds, of which impacts add a few.
        low, high = [-np.pi, -5.0, -5.0, -5.0], [np.pi, 5.0, 5.0, 5.0]
        for joint in self.body.joints:
            low += [-np.pi, -5.0]
            high += [np.pi, 5.0]
            if self.body.parts[joint.child].is_foot:
                low.append(0.0)
                high.append(1.0)
        low += [0.0] * LIDAR_RAYS
        high += [1.0] * LIDAR_RAYS
        return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))

    @abstractmethod
    def make_track(self, rng: np.random.Generator, **parameters: float) -> Track:
        """Lay out the track of one episode.

        Args:
            rng: Draws whatever the parameters leave open.
            parameters: Value of each of the track's parameters.
        """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in a task.

        Args:
            seed: Seeds the track and the initial force; None goes on with the previous generator.
            options: `{"task": vector or dict}`; the default task where absent.

        Returns:
            The observation after one step under a zero action, and `{"task": vector}`.

        Raises:
            ValueError: If the task is not in the task space.
        """
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        track = self.make_track(self.np_random, **self.settings.values_in(task))
        force = self.np_random.uniform(-INITIAL_FORCE, INITIAL_FORCE)
        return self.start(track, force), {"task": task}

    def start(self, track: Track, initial_force: float) -> NDArray[np.float32]:
        """Put the walker on a track, whatever it was made from, and return the first observation.

        Args:
            track: Ground and obstacles.
            initial_force: Horizontal force on the hull during the first step, newtons.
        """
        self._world = WalkerWorld(self.body, track, initial_force)
        self._world.step([0.0] * len(self.body.joints))
        self._shaping = _potential(*self._world.pose())
        self._steps = 0
        self._return = 0.0
        return self._world.observe()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by one fiftieth of a second.

        Args:
            action: One number in [-1, 1] per joint; what lies outside counts as the bound.

        Returns:
            Observation, reward, terminated, truncated, and an info that holds `is_success` on the
            episode's last step.
        """
        world = self._world
        if world is None:
            raise RuntimeError("call reset() before step()")
        effort = world.step(action.tolist())
        self._steps += 1
        x, angle = world.pose()
        shaping = _potential(x, angle)
        reward = shaping - self._shaping - self.body.torque_penalty * effort
        self._shaping = shaping

        fallen = world.hull_touched or x < 0
        if fallen:
            reward = _FALL_REWARD
        terminated = fallen or x > FINISH_X
        truncated = not terminated and self._steps >= self.time_limit
        self._return += reward
        info = {}
        if terminated or truncated:
            info["is_success"] = self._return > self.mastered_return
        return world.observe(), reward, terminated, truncated, info


def _potential(x: float, angle: float) -> float:
    """What the reward is the gain of: progress, worth about 300 over a whole track, less the hull's tilt."""
    return 130 * x / 30 - 5 * abs(angle)

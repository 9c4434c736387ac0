"""The Gymnasium environment that all walkers share: reward, termination, and reset into a task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, overload

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..task_space import Quantity, Setting, TaskSettings, TaskSpace
from ..vector.batchable_env import BatchableEnv
from .track import FINISH_X, Track
from .walker_body import WalkerBody, find_body
from .walker_drawing import WalkerDrawing
from .walker_simulation import INITIAL_FORCE, LIDAR_RAYS, STEPS_PER_SECOND, WalkerSimulation

if TYPE_CHECKING:
    from .engine.vector_env import WalkerVectorEnv

ENGINES = ("batched", "box2d", "cuda")
MOST = 1000.0
"""Largest absolute value of a parameter: far beyond it, physics and drawing in float32 break down."""
_FALL_REWARD = -100.0
_EPISODE = ("reset", "start", "step")
"""The methods that play an episode."""


class _TaskSpaceAttribute:
    """`Env.task_space()` is the space of an env with default arguments; `env.task_space` that of an env."""

    @overload
    def __get__(self, env: None, owner: type[WalkerEnv]) -> Callable[[], TaskSpace]: ...
    @overload
    def __get__(self, env: WalkerEnv, owner: type[WalkerEnv]) -> TaskSpace: ...
    def __get__(self, env: WalkerEnv | None, owner: type[WalkerEnv]) -> TaskSpace | Callable[[], TaskSpace]:
        if env is None:
            return lambda: owner().task_space  # type: ignore[call-arg]  # subclasses have defaults
        return env.settings.space


class WalkerEnv(BatchableEnv):
    """A walker that is rewarded for moving forward over a track. Subclasses turn a task into the track.

    Args:
        settings: For each parameter of the track a pair of bounds, which makes it part of the task, a fixed
            value, or None, which leaves it out.
        body: The walker, by name or as data.
        render_mode: None, "human" for a window that shows every step, or "rgb_array".
        engine: What steps many of these envs together: "batched" all in one compiled call
            (`engine`), "cuda" the same on a GPU, "box2d" in a loop or in worker processes. The results are
            the same.

    Raises:
        ValueError: If no parameter is left to the task, bounds are reversed, or the body, the render mode or
            the engine is unknown.

    Attributes:
        task_space: The space of this env's tasks.
        quantities: Unit, size and easy end of each parameter.
        time_limit: Steps after which an episode is truncated.
        return_range: Lowest and highest episode return, for teachers that want returns in [0, 1].
        mastered_return: A task is mastered in an episode whose return is above this.
        draw_lidar: Whether rendered frames show the lidar's rays; may be set at any time.
        track: The track of the current episode.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (as Gymnasium declares it)
        "render_modes": ["human", "rgb_array"],
        "render_fps": STEPS_PER_SECOND,
    }
    task_space = _TaskSpaceAttribute()
    quantities: ClassVar[Mapping[str, Quantity]] = {}
    time_limit: ClassVar[int] = 2000
    return_range: ClassVar[tuple[float, float]] = (-150.0, 350.0)
    mastered_return: ClassVar[float] = 230.0
    episode_attributes = BatchableEnv.episode_attributes | {
        *("track", "draw_lidar", "_simulation", "_drawing", "_shaping", "_steps", "_return"),
    }

    draw_lidar: bool = False

    def __init__(
        self,
        settings: Mapping[str, Setting],
        body: str | WalkerBody,
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode={render_mode!r} must be one of {self.metadata['render_modes']}")
        if engine not in ENGINES:
            raise ValueError(f"engine={engine!r} must be one of {list(ENGINES)}")
        self.render_mode = render_mode
        self.engine = engine
        self.settings = TaskSettings(settings, self.quantities)
        self.body = find_body(body)
        actions: spaces.Box[Any] = spaces.Box(-1.0, 1.0, (len(self.body.joints),), np.float32)
        self.action_space = actions
        self.observation_space = self._make_observation_space()
        self._simulation: WalkerSimulation | None = None
        self._drawing: WalkerDrawing | None = None

    @property
    def plays_as_the_engine(self) -> bool:
        """Whether the class does not override `reset`, `start` and `step`, which the engine replaces."""
        return all(getattr(type(self), name) is getattr(WalkerEnv, name) for name in _EPISODE)

    @property
    def is_batchable(self) -> bool:
        return self.plays_as_the_engine and self.engine != "box2d"

    def batch(self, num_envs: int, n_threads: int = 1, action_repeat: int = 1) -> WalkerVectorEnv:
        if not self.plays_as_the_engine:
            raise ValueError(
                f"{type(self).__name__} has a reset or step of its own, which the engine cannot play"
            )
        if self.engine == "cuda":
            # Imported here: with torch and Numba, this takes longer to import than everything else.
            from .engine.gpu_vector_env import GpuWalkerVectorEnv

            return GpuWalkerVectorEnv(self, num_envs, action_repeat)
        if self.engine == "batched":
            # Imported here for the same reason.
            from .engine.vector_env import WalkerVectorEnv

            return WalkerVectorEnv(self, num_envs, n_threads, action_repeat)
        raise ValueError(
            f"engine={self.engine!r} steps envs one by one: make them with engine=batched or cuda"
        )

    def _make_observation_space(self) -> spaces.Box[Any]:
        # The bounds of Gymnasium's walker: speeds are in units of rated speed; impacts add a few of these.
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
    def make_track(self, rng: np.random.Generator, **parameters: Any) -> Track:
        """Lay out the track of one episode.

        Args:
            rng: Draws everything that the parameters do not determine.
            parameters: Value of each of the track's parameters, except those that were left out.
        """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in a task.

        Args:
            seed: Seeds the track and the initial force; None continues with the previous generator.
            options: `{"task": vector or dict}`; the default task if absent.

        Returns:
            The observation after one step under a zero action, and `{"task": vector}`.

        Raises:
            ValueError: If the task is not in the task space, or its track cannot be built.
        """
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        track = self.make_track(self.np_random, **self.settings.values_in(task))
        force = self.np_random.uniform(-INITIAL_FORCE, INITIAL_FORCE)
        try:
            return self.start(track, force), {"task": task}
        except ValueError as error:
            raise ValueError(f"task {self.task_space.to_dict(task)}: {error}") from error

    def start(self, track: Track, initial_force: float) -> NDArray[np.float32]:
        """Put the walker on any track and return the first observation.

        Args:
            track: Ground and obstacles.
            initial_force: Horizontal force on the hull during the first step, newtons.

        Raises:
            ValueError: If the track has an obstacle that is not a convex polygon.
        """
        self.track = track
        self._simulation = WalkerSimulation(self.body, track, initial_force)
        self._simulation.step([0.0] * len(self.body.joints))
        self._shaping = _potential(*self._simulation.pose())
        self._steps = 0
        self._return = 0.0
        observation = self._simulation.observe()
        if self.render_mode == "human":
            self.render()
        return observation

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by one fiftieth of a second.

        Args:
            action: One number in [-1, 1] per joint; values outside are clipped.

        Returns:
            Observation, reward, terminated, truncated, and an info that holds `is_success` on the
            episode's last step.
        """
        simulation = self._simulation
        if simulation is None:
            raise RuntimeError("call reset() before step()")
        effort = simulation.step(action.tolist())
        self._steps += 1
        x, angle = simulation.pose()
        shaping = _potential(x, angle)
        reward = shaping - self._shaping - self.body.torque_penalty * effort
        self._shaping = shaping

        fallen = simulation.hull_touched or x < 0
        if fallen:
            reward = _FALL_REWARD
        terminated = fallen or x > FINISH_X
        truncated = not terminated and self._steps >= self.time_limit
        self._return += reward
        info = {}
        if terminated or truncated:
            info["is_success"] = self._return > self.mastered_return
        observation = simulation.observe()
        if self.render_mode == "human":
            self.render()
        return observation, reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Show the walker in its current state.

        Returns:
            With `render_mode="rgb_array"` the frame, uint8 of shape (400, 960, 3); otherwise None.

        Raises:
            RuntimeError: Before the first reset.
            gymnasium.error.DependencyNotInstalled: If pygame is missing.
        """
        if self.render_mode is None:
            gym.logger.warn('nothing to render: make this env with render_mode="human" or "rgb_array"')
            return None
        if self._simulation is None:
            raise RuntimeError("call reset() before render()")
        if self._drawing is None:
            self._drawing = WalkerDrawing(self.body, self.metadata["render_fps"])
        rays = self._simulation.lidar_ends() if self.draw_lidar else None
        self._drawing.draw(self.track, self._simulation.part_poses(), rays)
        if self.render_mode == "rgb_array":
            return self._drawing.pixels()
        self._drawing.show()
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._drawing is not None:
            self._drawing.close()
            self._drawing = None


def _potential(x: float, angle: float) -> float:
    """Potential whose gain is the reward: progress, about 300 over a whole track, minus the hull's tilt."""
    return 130 * x / 30 - 5 * abs(angle)

"""Point mass: steer through a gate in a wall. The small 2-D env of the papers on self-paced teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .task_space import Quantity, Setting, TaskSettings
from .vector.batch_vector_env import BatchVectorEnv
from .vector.batchable_env import BatchableEnv
from .vector.reset_arguments import slot_generator

Floats = NDArray[np.float64]

_START = np.array([0.0, 0.0, 3.0, 0.0])
_GOAL = np.array([0.0, -3.0])
_ARENA = np.array([4.0, np.inf, 4.0, np.inf])
"""Largest absolute value of each number of the state."""
_SUBSTEPS = 10
_DT = 0.01
_GAIN = 1.5
_NOISE = 0.05


class PointMass(BatchableEnv):
    """Steer a mass in a square arena through a gate in a wall to a goal behind it.

    The env of Klink et al. (*Self-paced deep RL*, 2020; *Curriculum RL via constrained optimal transport*,
    2022), there called point mass 2D. The wall lies along y = 0; start and goal are at (0, 3) and (0, -3).
    Narrow gates and gates far from the middle are hard, and a policy that heads straight for the goal learns
    nothing about them.

    **Task.** `gate_position`, x of the gate's centre, [-4, 4] m; `gate_width`, [0.5, 8] m. `friction`,
    1/s, is 0 unless it is given bounds or another value.

    **Observation.** float32 of shape (4 + d,): x, speed along x, y, speed along y (m, m/s), then the task.

    **Action.** Two forces along x and y, each clipped to [-10, 10].

    **Step.** 0.1 s, as 10 steps of 0.01 s with acceleration 1.5 · force - friction · speed + noise of
    standard deviation 0.05 m/s². x and y are clipped to [-4, 4].

    **Reward.** exp(-0.6 · distance to the goal) per step, so in [0, 1].

    **Episode end.** Terminated when the mass crosses the wall outside the gate, where it stops at the point
    of the crash; truncated after 100 steps. A task is mastered with a return above 66, which corresponds to
    the papers' threshold of about 4 on the return discounted by 0.95 per step. This requires reaching the
    goal within a third of the time and staying there; a whole episode in front of the wall earns less than
    17.

    Args:
        gate_position: x of the gate's centre, m: bounds, or a fixed value.
        gate_width: Width of the gate, m: bounds, or a fixed value.
        friction: Deceleration per speed, 1/s: a fixed value, or bounds.

    Raises:
        ValueError: If no parameter is left to the task, or bounds are reversed.

    Attributes:
        task_space: The space of this env's tasks.
        settings: Which parameters the task sets, and the values of the others.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "gate_position": Quantity("m"),
        "gate_width": Quantity("m", easy="high", default="easy"),
        "friction": Quantity("1/s"),
    }
    time_limit: ClassVar[int] = 100
    return_range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    mastered_return: ClassVar[float] = 66.0
    episode_attributes = BatchableEnv.episode_attributes | {"_state", "_task", "_gate", "_steps", "_return"}

    def __init__(
        self,
        gate_position: Setting = (-4.0, 4.0),
        gate_width: Setting = (0.5, 8.0),
        friction: Setting = 0.0,
    ) -> None:
        named = {"gate_position": gate_position, "gate_width": gate_width, "friction": friction}
        self.settings = TaskSettings(named, self.quantities)
        self.task_space = self.settings.space
        space = self.task_space
        self.observation_space = spaces.Box(
            np.concatenate([-_ARENA, space.low]).astype(np.float32),
            np.concatenate([_ARENA, space.high]).astype(np.float32),
        )
        self.action_space = spaces.Box(-10.0, 10.0, (2,), np.float32)
        self._state: Floats | None = None

    @property
    def is_batchable(self) -> bool:
        return type(self).reset is PointMass.reset and type(self).step is PointMass.step

    def batch(self, num_envs: int, n_threads: int = 1, action_repeat: int = 1) -> PointMassVectorEnv:
        if not self.is_batchable:
            raise ValueError(f"{type(self).__name__} has a reset or step of its own, which no batch can play")
        return PointMassVectorEnv(self, num_envs, action_repeat)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in a task, `options={"task": vector or dict}`."""
        super().reset(seed=seed)
        task = self.task_space.to_vector((options or {}).get("task"))
        self._task = task[None]
        self._gate = self.gates_of(self._task)
        self._state = _START[None].copy()
        self._steps, self._return = 0, 0.0
        return _observe(self._state, self._task)[0], {"task": task}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by a tenth of a second; the last step's info has `is_success`."""
        if self._state is None:
            raise RuntimeError("call reset() before step()")
        noise = _draw_noise(self.np_random)[None]
        self._state, crashed = _advance(self._state, np.asarray(action)[None], self._gate, noise)
        reward = float(_rewards(self._state)[0])
        self._steps += 1
        self._return += reward
        terminated = bool(crashed[0])
        truncated = not terminated and self._steps >= self.time_limit
        info = {"is_success": self._return > self.mastered_return} if terminated or truncated else {}
        return _observe(self._state, self._task)[0], reward, terminated, truncated, info

    def gates_of(self, tasks: NDArray[np.float32]) -> Floats:
        """Position and width of the gate, and the friction, in tasks of shape (n, d); shape (n, 3)."""
        values = [self.settings.values_in(task) for task in tasks]
        return np.array([[v["gate_position"], v["gate_width"], v["friction"]] for v in values], np.float64)


class PointMassVectorEnv(BatchVectorEnv):
    """Many `PointMass` envs in arrays, with the same episodes as separate envs; see `BatchVectorEnv`."""

    env: PointMass

    def __init__(self, env: PointMass, num_envs: int, action_repeat: int = 1) -> None:
        super().__init__(env, num_envs, action_repeat)
        self._states = np.tile(_START, (num_envs, 1))
        self._gates = env.gates_of(self._tasks)
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._returns = np.zeros(num_envs)

    def _begin(
        self, slots: NDArray[np.int64], tasks: NDArray[np.float32], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float32]:
        self._tasks[slots] = tasks
        self._gates[slots] = self.env.gates_of(tasks)
        self._states[slots] = _START
        for array in (self._steps, self._returns, self._terminated, self._truncated):
            array[slots] = 0
        return _observe(self._states, self._tasks)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every slot that is not resting by a tenth of a second, `action_repeat` times."""
        rewards = np.zeros(self.num_envs)
        was_resting = self._terminated | self._truncated
        for _ in range(self.action_repeat):
            slots = np.flatnonzero(~(self._terminated | self._truncated))
            if not len(slots):
                break
            generators = [self.generators[slot] for slot in slots.tolist()]
            if None in generators:
                raise RuntimeError("call reset() before step()")
            noise = np.array([_draw_noise(generator) for generator in generators if generator is not None])
            self._states[slots], self._terminated[slots] = _advance(
                self._states[slots], actions[slots], self._gates[slots], noise
            )
            earned = _rewards(self._states[slots])
            rewards[slots] += earned
            self._returns[slots] += earned
            self._steps[slots] += 1
            self._truncated = ~self._terminated & (self._steps >= self.env.time_limit)
        ended = (self._terminated | self._truncated) & ~was_resting
        infos: dict[str, Any] = {}
        if ended.any():
            infos = {"is_success": (self._returns > self.mastered_return) & ended, "_is_success": ended}
        observations = _observe(self._states, self._tasks)
        return observations, rewards, self._terminated.copy(), self._truncated.copy(), infos

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later step depends on."""
        arrays = ("states", "tasks", "gates", "steps", "returns", "terminated", "truncated")
        generators = [g.bit_generator.state if g is not None else None for g in self.generators]
        return {"generators": generators, **{name: getattr(self, f"_{name}").copy() for name in arrays}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned, in a vector env of the same kind and number of slots.

        Raises:
            ValueError: If the state has another number of slots.
        """
        if len(state["states"]) != self.num_envs:
            raise ValueError(f"the state has {len(state['states'])} slots, this vector env {self.num_envs}")
        for name, value in state.items():
            if name != "generators":
                setattr(self, f"_{name}", value.copy())
        for slot, saved in enumerate(state["generators"]):
            self.generators[slot] = None
            if saved is not None:
                slot_generator(self.generators, slot, 0).bit_generator.state = saved


def _draw_noise(rng: np.random.Generator) -> Floats:
    """The noise of all substeps of one step of one env, m/s², shape (substeps, 2)."""
    return rng.normal(0.0, _NOISE, (_SUBSTEPS, 2))


def _advance(
    states: Floats, actions: NDArray[np.float32], gates: Floats, noise: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Move masses by one step.

    Args:
        states: x, speed along x, y, speed along y, shape (n, 4).
        actions: Forces, shape (n, 2).
        gates: Position, width and friction, shape (n, 3).
        noise: Shape (n, substeps, 2).

    Returns:
        The new states, and which masses crashed into the wall, shape (n,).
    """
    position, half_width, friction = gates[:, 0], gates[:, 1] / 2, gates[:, 2:]
    push = _GAIN * np.clip(actions, -10.0, 10.0).astype(np.float64)
    crashed = np.zeros(len(states), dtype=np.bool_)
    for substep in range(_SUBSTEPS):
        moved = np.empty_like(states)
        moved[:, 0::2] = states[:, 0::2] + _DT * states[:, 1::2]
        moved[:, 1::2] = states[:, 1::2] + _DT * (push - friction * states[:, 1::2] + noise[:, substep])
        np.clip(moved, -_ARENA, _ARENA, out=moved)
        before, after = states[:, 2], moved[:, 2]
        crosses = ((before >= 0) & (after < 0)) | ((before <= 0) & (after > 0))
        if crosses.any():
            share = before / np.where(crosses, before - after, 1.0)
            x = share * moved[:, 0] + (1 - share) * states[:, 0]
            hits = crosses & (np.abs(x - position) > half_width) & ~crashed
            moved[hits] = 0.0
            moved[hits, 0] = x[hits]
            states = np.where(crashed[:, None], states, moved)
            crashed |= hits
        else:
            states = np.where(crashed[:, None], states, moved)
    return states, crashed


def _rewards(states: Floats) -> Floats:
    distances = np.hypot(states[:, 0] - _GOAL[0], states[:, 2] - _GOAL[1])
    rewards: Floats = np.exp(-0.6 * distances)
    return rewards


def _observe(states: Floats, tasks: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([states, tasks], axis=1, dtype=np.float32, casting="same_kind")

"""Base class of vector envs whose slots are stepped together, in arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..task_space import TaskSpace
from .reset_arguments import slot_generator, slot_mask, slot_seeds, slot_tasks


class TaskEnv(Protocol):
    """What a batch requires of the env that its slots are like."""

    @property
    def task_space(self) -> TaskSpace:
        """The space of tasks."""

    @property
    def observation_space(self) -> Space[NDArray[np.float32]]:
        """Space of a single env."""

    @property
    def action_space(self) -> Space[NDArray[np.float32]]:
        """Space of a single env."""

    @property
    def return_range(self) -> tuple[float, float]:
        """Lowest and highest episode return."""

    @property
    def mastered_return(self) -> float:
        """A task is mastered in an episode whose return is above this."""

    @property
    def metadata(self) -> dict[str, Any]:
        """As Gymnasium declares it."""

    @property
    def spec(self) -> EnvSpec | None:
        """As Gymnasium declares it."""


class BatchVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """Equal envs in arrays, with the same episodes as separate envs.

    Slots are never reset automatically: the caller resets those whose episode ended. Until then such a slot
    rests: it is not stepped, keeps its observation and flags, and gets a reward of 0.

    Args:
        env: An env that the slots are like; it is not stepped itself.
        num_envs: Number of slots.
        action_repeat: How often each action is played in a row, as one step whose reward is the sum; a slot
            stops when its episode ends.

    Raises:
        ValueError: If a number is below 1.

    Attributes:
        env: As given.
        generators: Random generator of each slot; None until its first reset.
    """

    env: TaskEnv

    def __init__(self, env: TaskEnv, num_envs: int, action_repeat: int = 1) -> None:
        for name, value in (("num_envs", num_envs), ("action_repeat", action_repeat)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.env = env
        self.num_envs = num_envs
        self.action_repeat = action_repeat
        self.single_observation_space = env.observation_space
        self.single_action_space = env.action_space
        self.observation_space = batch_space(env.observation_space, num_envs)
        self.action_space = batch_space(env.action_space, num_envs)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.render_mode = None
        self.spec = env.spec
        self.generators: list[np.random.Generator | None] = [None] * num_envs
        self._tasks = np.tile(env.task_space.default, (num_envs, 1))
        self._terminated = np.zeros(num_envs, dtype=np.bool_)
        self._truncated = np.zeros(num_envs, dtype=np.bool_)

    @property
    def task_space(self) -> TaskSpace:
        """The space of the slots' tasks."""
        return self.env.task_space

    @property
    def return_range(self) -> tuple[float, float]:
        """Lowest and highest episode return."""
        return self.env.return_range

    @property
    def mastered_return(self) -> float:
        """A task is mastered in an episode whose return is above this."""
        return self.env.mastered_return

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Reset some slots, each into its own task.

        Args:
            seed: None, an int for slot 0 (slot i gets seed + i), or a list of one per slot. A slot whose seed
                is None continues with its previous generator.
            options: `task`: one task for all, a vector of shape (d,) or a dict, or one row per slot, float32
                of shape (n, d); the default task if absent. `reset_mask`: bool of shape (n,), which slots to
                reset; all of them if absent.

        Returns:
            The observations of all slots, and `task` of those that were reset, in the format of Gymnasium's
            vector environments.

        Raises:
            ValueError: If seeds, mask or tasks have the wrong shape, or a task is not in the task space.
        """
        options = options or {}
        seeds = slot_seeds(seed, self.num_envs)
        mask = slot_mask(options.get("reset_mask"), self.num_envs)
        slots = np.flatnonzero(mask)
        tasks = slot_tasks(options.get("task"), self.task_space, self.num_envs, slots)
        generators = [slot_generator(self.generators, slot, seeds[slot]) for slot in slots.tolist()]
        observations = self._begin(slots, tasks[slots], generators)
        return observations, {"task": np.where(mask[:, None], tasks, 0), "_task": mask}

    @abstractmethod
    def _begin(
        self, slots: NDArray[np.int64], tasks: NDArray[np.float32], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float32]:
        """Begin an episode in some slots.

        Args:
            slots: The slots, shape (m,).
            tasks: Their tasks, shape (m, d).
            generators: Their random generators.

        Returns:
            The observations of all slots.
        """

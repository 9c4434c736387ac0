"""Base class of envs that can be stepped in batches, faster than one by one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ..same_value import same_value


class BatchableEnv(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """An env that can be stepped in batches by a vector env, with the same results.

    `make_vec` and `gymnasium.make_vec` use this if all slots are alike.
    """

    episode_attributes: ClassVar[frozenset[str]] = frozenset({"_np_random", "_np_random_seed"})
    """The attributes in which equal envs may differ during episodes."""

    @property
    @abstractmethod
    def is_batchable(self) -> bool:
        """Whether `batch` plays like this env: its class does not override `reset` and `step`."""

    @abstractmethod
    def batch(
        self, num_envs: int, n_threads: int = 1, action_repeat: int = 1
    ) -> VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
        """A vector env whose slots are like this env, which is not stepped itself.

        The vector env has `generators`, a list of the random generators of the slots; None until a slot's
        first reset.

        Args:
            num_envs: Number of slots.
            n_threads: Number of threads that step them, if that helps.
            action_repeat: How often each action is played, as in `ActionRepeat`.

        Raises:
            ValueError: If the env is not batchable, or a number is below 1.
        """

    def is_like(self, other: gym.Env[Any, Any]) -> bool:
        """Whether another env differs from this one only in its current episode."""
        if type(self) is not type(other):
            return False
        mine, theirs = (
            {name: value for name, value in vars(env).items() if name not in self.episode_attributes}
            for env in (self, other)
        )
        return same_value(mine, theirs)

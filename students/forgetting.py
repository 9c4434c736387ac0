"""A student that is reset periodically without informing its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.random import SeedSequence
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

_BUFFERS = ("replay_buffer", "rollout_buffer")


class Forgetting(BaseCallback):
    """Resets a student periodically: new networks and optimizers, and an empty buffer.

    This is the forgetting student of TeachMyAgent (Romac et al., ICML 2021), a challenge for teachers that
    rely on old results. Running statistics of `VecNormalize` are kept, since they describe the envs.

    Args:
        every_steps: Training steps between resets; a reset happens when the next rollout begins.
        seed: Seeds the new networks.

    Raises:
        ValueError: If `every_steps` is below 1.
    """

    def __init__(self, every_steps: int, seed: int) -> None:
        super().__init__()
        if every_steps < 1:
            raise ValueError(f"forget_every={every_steps} must be at least 1")
        self.every_steps = every_steps
        self._seed = seed
        self._times = 0

    def state_dict(self) -> dict[str, Any]:
        """How often the student has been reset."""
        return {"times": self._times}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self._times = state["times"]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        times = self.num_timesteps // self.every_steps
        if times > self._times:
            self._times = times
            reset_model(self.model, int(SeedSequence([self._seed, times]).generate_state(1)[0]))


def reset_model(model: BaseAlgorithm, seed: int) -> None:
    """Give an algorithm new networks and optimizers, and empty its buffer; counters and schedules continue.

    Args:
        model: Any algorithm of Stable-Baselines3, between two rollouts.
        seed: Seeds the networks and the global random generators.
    """
    # The rollout that begins fills the buffer object that the algorithm has now.
    buffers = {name: vars(model)[name] for name in _BUFFERS if vars(model).get(name) is not None}
    model.seed = seed
    model._setup_model()
    for name, buffer in buffers.items():
        setattr(model, name, buffer)
        buffer.reset()

"""Resumes algorithms that do not use the training loops of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from .training_state import TrainingState


class OwnLoop(BaseCallback):
    """Makes an algorithm with its own `learn`, such as ARS, resume exactly.

    When a rollout begins, where states are saved and loaded, ARS has already drawn its perturbations, and its
    schedules depend on the steps passed to `learn`, not on all steps. So the generators are kept as they
    were at the end of the previous rollout, and `learn` is called with the total steps again.

    Args:
        algorithm: The algorithm.
        n_envs: Number of training envs.

    Raises:
        ValueError: If it would not count its steps as they are made.
    """

    def __init__(self, algorithm: BaseAlgorithm, n_envs: int) -> None:
        super().__init__()
        episodes = getattr(algorithm, "n_eval_episodes", 1)
        if n_envs > 1 and episodes > 1:
            raise ValueError(
                f"n_eval_episodes={episodes} must be 1 with n_envs={n_envs}: {type(algorithm).__name__} "
                "counts a step once for each env in which an episode is still played"
            )
        self._generators: Mapping[str, Any] | None = None
        self._is_resumed = False
        self._steps = 0

    @staticmethod
    def is_that_of(model: BaseAlgorithm) -> bool:
        """Whether an algorithm has such a loop."""
        return not isinstance(model, (OffPolicyAlgorithm, OnPolicyAlgorithm))

    def begin(self, model: BaseAlgorithm) -> None:
        """Must be called before `learn`, which then takes the steps of the whole training."""
        self._steps, model.num_timesteps = model.num_timesteps, 0

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from the rollout that begins."""
        return {"generators": self._generators}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        self._generators, self._is_resumed = state["generators"], True

    def _on_training_start(self) -> None:
        self.num_timesteps = self.model.num_timesteps = self.model._num_timesteps_at_start = self._steps
        if self._is_resumed and self._generators is not None:
            TrainingState(self.model).set_generators(self._generators)
        self._on_rollout_end()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._generators = TrainingState(self.model).generators()

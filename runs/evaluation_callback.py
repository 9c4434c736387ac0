"""Evaluating a Stable-Baselines3 student while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from ..evaluation.evaluate import Policy, TaskResult, evaluate
from ..evaluation.metrics import mastered_percent, return_mean
from ..evaluation.task_sets import TaskSet

EvaluationListener = Callable[[int, list[TaskResult]], None]
"""Called with the training steps so far and one row per test task."""


def policy_of(model: BaseAlgorithm) -> Policy:
    """The model's deterministic policy on raw observations, normalised as in its training."""
    normalizer = model.get_vec_normalize_env()

    def act(observations: Any) -> Any:
        if normalizer is not None:
            observations = normalizer.normalize_obs(observations)
        return model.predict(observations, deterministic=True)[0]

    return act


class EvaluationCallback(BaseCallback):
    """Plays the test tasks before training, every `every_steps` steps, and after training.

    Args:
        worlds: Where to play; not the worlds of the training.
        task_set: The test tasks.
        every_steps: Training steps between evaluations.
        listener: Told the results of each evaluation.

    Attributes:
        seconds: How long evaluations have taken, their listener included.
    """

    def __init__(
        self,
        worlds: VectorEnv[Any, Any, Any],
        task_set: TaskSet,
        every_steps: int,
        listener: EvaluationListener,
    ) -> None:
        super().__init__()
        self.worlds = worlds
        self.task_set = task_set
        self.every_steps = every_steps
        self.listener = listener
        self.seconds = 0.0
        self._evaluated_at = -1

    def state_dict(self) -> dict[str, Any]:
        """When the last evaluation was, in training steps; -1 before the first."""
        return {"evaluated_at": self._evaluated_at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self._evaluated_at = state["evaluated_at"]

    def _on_training_start(self) -> None:
        if self._evaluated_at < 0:
            self._evaluate()

    def _on_step(self) -> bool:
        due = self.num_timesteps // self.every_steps > self._evaluated_at // self.every_steps
        # The student may yet learn from its last steps; then comes the final evaluation.
        if due and self.num_timesteps < self.locals["total_timesteps"]:
            self._evaluate()
        return True

    def _on_training_end(self) -> None:
        if self.num_timesteps > self._evaluated_at:
            self._evaluate()

    def _evaluate(self) -> None:
        started = time.perf_counter()
        self._evaluated_at = self.num_timesteps
        tasks = self.task_set
        results = evaluate(policy_of(self.model), self.worlds, tasks.tasks, tasks.seeds)
        self.listener(self.num_timesteps, results)
        self.logger.record("evaluation/mastered_percent", mastered_percent(results))
        self.logger.record("evaluation/return_mean", return_mean(results))
        self.logger.record("evaluation/length_mean", np.mean([row.length for row in results]))
        self.logger.dump(self.num_timesteps)
        self.seconds += time.perf_counter() - started

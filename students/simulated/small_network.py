"""A small neural network trained by policy gradient, with reward only near a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task_space import Task, TaskParameter, TaskSpace
from ...teachers.teacher import Seed
from .simulated_student import SimulatedStudent

_HIDDEN = 32
_STEPS = 16
_WIDTH = 0.4
_NOISE = 0.2
_FARTHEST = 10.0
_TEST_POINTS = 20


class SmallNetwork(SimulatedStudent):
    """A network with one hidden layer learns where to act, by REINFORCE on single episodes.

    The task (distance, direction) in [0, 1]² is the polar position of a target in the plane of actions: 10
    distance away from the origin, at the angle 2 pi direction. Each of the 16 steps of an episode is one
    action, drawn from a Gaussian with standard deviation 0.2 around the network's output, and its reward is
    exp(-|action - target|² / (2 0.4²)). The network starts with outputs near 0, so that it sees the reward of
    near targets only; what it learns there generalises to targets farther out, and may be unlearned. The
    return is the mean reward of the steps.

    Args:
        rate: Learning rate of plain gradient ascent.
        seed: Seeds weights and actions.

    Raises:
        ValueError: If the rate is not above 0 and finite.
    """

    return_range = (0.0, 1.0)
    mastered_return = 0.6
    """At best, exploration leaves 0.8."""

    def __init__(self, rate: float = 0.03, seed: Seed = None) -> None:
        if not 0 < rate < np.inf:
            raise ValueError(f"rate={rate} must be above 0 and finite")
        self.rate = rate
        self.task_space = TaskSpace(
            [TaskParameter("distance", 0.0, 1.0, default=0.0), TaskParameter("direction", 0.0, 1.0)]
        )
        self._rng = np.random.default_rng(seed)
        inputs = len(_features(np.zeros((1, 2)))[0])
        self._weights = {
            "hidden": self._rng.normal(0, 1 / np.sqrt(inputs), (inputs, _HIDDEN)),
            "bias": np.zeros(_HIDDEN),
            "output": self._rng.normal(0, 0.1 / np.sqrt(_HIDDEN), (_HIDDEN, 2)),
        }
        axis = (np.arange(_TEST_POINTS) + 0.5) / _TEST_POINTS
        self._tests = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)

    @property
    def competence_map(self) -> NDArray[np.float64]:
        return self._expected_returns(self._tests).reshape(_TEST_POINTS, _TEST_POINTS)

    @property
    def mastered_percent(self) -> float:
        """Percentage of a grid of tasks with an expected return above 0.6."""
        return float(100 * (self.competence_map > self.mastered_return).mean())

    @property
    def return_mean(self) -> float:
        return float(self.competence_map.mean())

    def play(self, task: Task) -> float:
        tasks = task[None].astype(np.float64)
        features, weights = _features(tasks), self._weights
        hidden = np.tanh(features @ weights["hidden"] + weights["bias"])
        deviations = _NOISE * self._rng.standard_normal((_STEPS, 2))
        actions = hidden @ weights["output"] + deviations
        rewards = np.exp(-((actions - _target(tasks)) ** 2).sum(axis=1) / (2 * _WIDTH**2))
        advantages = rewards - rewards.mean()
        # Gradient of the advantage-weighted mean log likelihood of the actions with respect to the output.
        ascent = (advantages[:, None] * deviations).mean(axis=0, keepdims=True) / _NOISE**2
        back = ascent @ weights["output"].T * (1 - hidden**2)
        weights["output"] += self.rate * hidden.T @ ascent
        weights["hidden"] += self.rate * features.T @ back
        weights["bias"] += self.rate * back[0]
        return float(rewards.mean())

    def _expected_returns(self, tasks: NDArray[np.float64]) -> NDArray[np.float64]:
        """In closed form: a Gaussian around the output, times the Gaussian of the reward."""
        weights = self._weights
        output = np.tanh(_features(tasks) @ weights["hidden"] + weights["bias"]) @ weights["output"]
        spread = _WIDTH**2 + _NOISE**2
        squared = ((output - _target(tasks)) ** 2).sum(axis=1)
        return np.asarray(_WIDTH**2 / spread * np.exp(-squared / (2 * spread)))

    def state_dict(self) -> dict[str, Any]:
        weights = {name: weight.copy() for name, weight in self._weights.items()}
        return {"weights": weights, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._weights = {name: weight.copy() for name, weight in state["weights"].items()}
        self._rng.bit_generator.state = state["rng"]


def _features(tasks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inputs of the network for tasks, shape (n, 2): the distance, and the direction as a periodic number."""
    angles = 2 * np.pi * tasks[:, 1]
    return np.stack([2 * tasks[:, 0] - 1, np.sin(angles), np.cos(angles)], axis=1)


def _target(tasks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Target actions, shape (n, 2)."""
    angles = 2 * np.pi * tasks[:, 1]
    return np.asarray(_FARTHEST * tasks[:, :1] * np.stack([np.cos(angles), np.sin(angles)], axis=1))

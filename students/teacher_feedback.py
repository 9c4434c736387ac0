"""Feedback from a Stable-Baselines3 algorithm to its teacher beyond the results of episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from ..teachers.critic_scores import CriticScores
from ..teachers.curriculum import Curriculum
from .fast.fast_ppo import FastPPO
from .fast.overlapped_sac import OverlappedSAC
from .state_values import has_critic, state_values

_LAMBDA = 0.95
"""Lambda of the generalised advantages of off-policy algorithms, which have no `gae_lambda`."""


def offers_of(model: BaseAlgorithm) -> frozenset[str]:
    """Members of `teachers.teacher.NEEDS` that an algorithm provides to teachers."""
    # The critic of OverlappedSAC changes while its envs are stepped.
    has_scores = isinstance(model, OnPolicyAlgorithm) or (
        has_critic(model) and not isinstance(model, OverlappedSAC)
    )
    offered = {"success": True, "critic": has_scores, "no_gradient": isinstance(model, FastPPO)}
    return frozenset(need for need, is_offered in offered.items() if is_offered)


class TeacherFeedback(BaseCallback):
    """A Stable-Baselines3 callback with a state."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from the rollout that begins."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""


def teacher_feedback(model: BaseAlgorithm, curriculum: Curriculum) -> list[TeacherFeedback]:
    """The callbacks with which an algorithm must learn so that its teacher gets what it needs.

    Args:
        model: The algorithm, which trains on the curriculum.
        curriculum: Its teacher's `require_student` must have accepted `offers_of` the model.
    """
    assert model.env is not None
    needs = curriculum.teacher.needs
    found: list[TeacherFeedback] = []
    if "no_gradient" in needs:
        found.append(GradientMask(curriculum))
    if "critic" in needs:
        kind = RolloutCritic if isinstance(model, OnPolicyAlgorithm) else StepCritic
        found.append(kind(curriculum, model.env.num_envs))
    return found


class GradientMask(TeacherFeedback):
    """Tells FastPPO at the end of each rollout which of its steps to learn from.

    Args:
        curriculum: The curriculum, whose episodes say whether they train.
    """

    def __init__(self, curriculum: Curriculum) -> None:
        super().__init__()
        self._curriculum = curriculum
        self._trains = np.ones(0, np.bool_)
        self._rows: list[NDArray[np.bool_]] = []

    def _on_rollout_start(self) -> None:
        slots = range(self.training_env.num_envs)
        self._trains = np.array([self._curriculum.playing(slot).trains for slot in slots])
        self._rows = []

    def _on_step(self) -> bool:
        self._rows.append(self._trains.copy())
        # The next episodes have already begun.
        for slot in self.locals["dones"].nonzero()[0]:
            self._trains[slot] = self._curriculum.playing(slot).trains
        return True

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, FastPPO)
        self.model.learns_from = np.array(self._rows)


class RolloutCritic(TeacherFeedback):
    """Computes critic scores of an on-policy algorithm's episodes at the end of the rollout they end in.

    Values and advantages are those of the rollout. If an episode spans several rollouts, each part is scored
    at the end of its own rollout, and weighted by its steps.

    Args:
        curriculum: The curriculum, whose episodes get the scores.
        n_envs: Number of envs.
    """

    def __init__(self, curriculum: Curriculum, n_envs: int) -> None:
        super().__init__()
        self._curriculum = curriculum
        self._begun = [_Sums() for _ in range(n_envs)]

    def _on_training_start(self) -> None:
        if self.num_timesteps == 0:
            # All envs have been reset, even after an earlier training.
            self._begun = [_Sums() for _ in self._begun]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, OnPolicyAlgorithm)
        buffer, last = self.model.rollout_buffer, self.model._last_episode_starts
        assert last is not None
        ends = np.concatenate([buffer.episode_starts[1:], last[None]]).astype(np.bool_)
        begin = np.zeros(len(self._begun), np.int64)
        # In the order in which the episodes ended.
        for step, slot in np.argwhere(ends):
            part = slice(begin[slot], step + 1)
            begin[slot] = step + 1
            self._add(slot, part)
            self._curriculum.rate(int(slot), self._begun[slot].means())
            self._begun[slot] = _Sums()
        for slot, first in enumerate(begin):
            self._add(slot, slice(first, None))

    def _add(self, slot: int, part: slice) -> None:
        buffer = self.model.rollout_buffer  # type: ignore[attr-defined]
        arrays = (buffer.advantages, buffer.values, buffer.rewards)
        advantages, values, rewards = (array[part, slot] for array in arrays)
        self._begun[slot].add(advantages, values, rewards, self.model.gamma)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        return {"begun": np.array([sums.numbers for sums in self._begun])}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._begun = [_Sums(row.copy()) for row in state["begun"]]


class StepCritic(TeacherFeedback):
    """Computes critic scores of an off-policy algorithm's episodes as they end.

    The value of a state is the critic's estimate when it was visited.

    Args:
        curriculum: The curriculum, whose episodes get the scores.
        n_envs: Number of envs.
    """

    def __init__(self, curriculum: Curriculum, n_envs: int) -> None:
        super().__init__()
        self._curriculum = curriculum
        self._values: list[list[float]] = [[] for _ in range(n_envs)]
        self._rewards: list[list[float]] = [[] for _ in range(n_envs)]

    def _on_training_start(self) -> None:
        if self.num_timesteps == 0:
            self._values = [[] for _ in self._values]
            self._rewards = [[] for _ in self._rewards]

    def _on_step(self) -> bool:
        # Still the observation before the step.
        values = state_values(self.model, self.model._last_obs)
        for slot, (value, reward) in enumerate(zip(values, self.locals["rewards"], strict=True)):
            self._values[slot].append(float(value))
            self._rewards[slot].append(float(reward))
        for slot in self.locals["dones"].nonzero()[0].tolist():
            self._rate(slot, self.locals["infos"][slot])
        return True

    def _rate(self, slot: int, info: Mapping[str, Any]) -> None:
        gamma: float = self.model.gamma  # type: ignore[attr-defined]
        values, rewards = self._values[slot], self._rewards[slot]
        if info["TimeLimit.truncated"]:
            rewards[-1] += gamma * float(state_values(self.model, info["terminal_observation"])[0])
        sums = _Sums()
        sums.add(advantages_of(values, rewards, gamma), np.array(values), np.array(rewards), gamma)
        self._curriculum.rate(slot, sums.means())
        self._values[slot], self._rewards[slot] = [], []

    def state_dict(self) -> dict[str, Any]:
        return {
            "values": [np.array(values) for values in self._values],
            "rewards": [np.array(rewards) for rewards in self._rewards],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._values = [values.tolist() for values in state["values"]]
        self._rewards = [rewards.tolist() for rewards in state["rewards"]]


def advantages_of(values: Sequence[float], rewards: Sequence[float], gamma: float) -> NDArray[np.float64]:
    """Generalised advantages of an episode that ends with its last step (Schulman et al. 2016, eq. 16).

    Args:
        values: V(s_t), shape (n,).
        rewards: r_t, shape (n,).
        gamma: Discount factor; lambda is 0.95.
    """
    advantages = np.zeros(len(values))
    advantage, following = 0.0, 0.0
    for t in reversed(range(len(values))):
        advantage = rewards[t] + gamma * following - values[t] + gamma * _LAMBDA * advantage
        advantages[t], following = advantage, values[t]
    return advantages


class _Sums:
    """Sums over the steps of an episode so far.

    Attributes:
        numbers: Steps, sums of max(A, 0), |A| and V, discounted return, and the next step's discount.
    """

    def __init__(self, numbers: NDArray[np.float64] | None = None) -> None:
        self.numbers = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]) if numbers is None else numbers

    def add(
        self, advantages: NDArray[Any], values: NDArray[Any], rewards: NDArray[Any], gamma: float
    ) -> None:
        """Add some steps, each array of shape (n,)."""
        n, discount = len(values), self.numbers[-1]
        discounts = discount * gamma ** np.arange(n)
        self.numbers += [
            n,
            advantages.clip(min=0).sum(dtype=np.float64),
            np.abs(advantages).sum(dtype=np.float64),
            values.sum(dtype=np.float64),
            discounts @ rewards.astype(np.float64),
            discount * gamma**n - discount,
        ]

    def means(self) -> CriticScores:
        """The critic scores of the finished episode."""
        n, positive, absolute, value, discounted, _ = self.numbers.tolist()
        return CriticScores(positive / n, absolute / n, value / n, discounted)

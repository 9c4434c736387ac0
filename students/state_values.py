"""The value of a state, by the critic of an off-policy algorithm of Stable-Baselines3 or sb3-contrib."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

_CRITICS = ("q_net", "quantile_net", "critic")
"""What algorithms call theirs: DQN; QRDQN; DDPG, TD3, SAC, TQC and CrossQ."""


def has_critic(model: BaseAlgorithm) -> bool:
    """Whether `state_values` knows where the critic of an algorithm is."""
    return any(isinstance(getattr(model, name, None), nn.Module) for name in _CRITICS)


def state_values(model: Any, observations: Any) -> NDArray[np.float64]:
    """The value of states: that of the action which the policy prefers there, by the most cautious critic.

    That is max_a Q(s, a) for a choice among actions, and min_i Q_i(s, pi(s)) otherwise, the mean standing for
    quantiles.

    Args:
        model: An algorithm that `has_critic`.
        observations: As the algorithm sees them: a batch of n, or one.

    Returns:
        Shape (n,).
    """
    seen, _ = model.policy.obs_to_tensor(observations)
    with torch.no_grad():
        return _values(model, seen).cpu().numpy().astype(np.float64)


def _values(model: Any, seen: Any) -> Tensor:
    if hasattr(model, "q_net"):
        return model.q_net(seen).max(dim=1).values  # type: ignore[no-any-return]
    if hasattr(model, "quantile_net"):
        return model.quantile_net(seen).mean(dim=1).max(dim=1).values  # type: ignore[no-any-return]
    judged = model.critic(seen, model.policy._predict(seen, deterministic=True))
    if isinstance(judged, Tensor):
        # Of TQC, shape (n, critics, quantiles).
        return judged.mean(dim=2).min(dim=1).values
    return torch.cat(judged, dim=1).min(dim=1).values

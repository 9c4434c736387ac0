"""State values from the critic of an off-policy algorithm of Stable-Baselines3 or sb3-contrib."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

_CRITICS = ("q_net", "quantile_net", "critic")
"""Names of the critic in DQN; QRDQN; DDPG, TD3, SAC, TQC and CrossQ."""


def has_critic(model: BaseAlgorithm) -> bool:
    """Whether `state_values` supports the critic of an algorithm."""
    return any(isinstance(getattr(model, name, None), nn.Module) for name in _CRITICS)


def state_values(model: Any, observations: Any) -> NDArray[np.float64]:
    """The value of states: that of the policy's preferred action, by the most pessimistic critic.

    That is max_a Q(s, a) for discrete actions, and min_i Q_i(s, pi(s)) otherwise; quantiles are replaced by
    their mean.

    Args:
        model: An algorithm that `has_critic`.
        observations: Observations as the algorithm sees them: a batch of n, or one.

    Returns:
        Values, shape (n,).
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
        # For TQC, shape (n, critics, quantiles).
        return judged.mean(dim=2).min(dim=1).values
    return torch.cat(judged, dim=1).min(dim=1).values

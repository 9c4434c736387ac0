"""The forward pass of a small PPO policy on a few observations, in as few operations as possible.

Networks of a few thousand weights, applied to a few dozen observations, spend nearly all of their time in
modules and distributions that call one another.
"""

from __future__ import annotations

import math

import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn
from torch.nn import functional

_LOG_SQRT_2PI = math.log(math.sqrt(2 * math.pi))


class PPOChoices:
    """The forward pass of a policy whose update `can_be_written_out`: same draws, same numbers.

    Args:
        policy: The policy, whose parameters may change meanwhile, but not be replaced.

    Raises:
        ValueError: If the policy's actions are not continuous.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        if not isinstance(policy.action_dist, DiagGaussianDistribution):
            raise ValueError(
                f"{type(policy.action_dist).__name__} is not written out, only continuous actions"
            )
        self._actor = [*_layers(policy.mlp_extractor.policy_net), *_layers([policy.action_net])]
        self._critic = [*_layers(policy.mlp_extractor.value_net), *_layers([policy.value_net])]
        self._log_std = policy.log_std
        self._action_shape = policy.action_space.shape or ()

    def __call__(self, observations: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Choose actions.

        Args:
            observations: Observations, shape (n, …).
            deterministic: Whether to take the most probable actions.

        Returns:
            Actions of shape (n, …), values of shape (n, 1), and log-probabilities of the actions, shape (n,).
        """
        flat = observations.float().flatten(1)
        mean, values = _forward(self._actor, flat), _forward(self._critic, flat)
        deviation = self._log_std.exp()
        actions = mean
        if not deterministic:
            # The same draw as torch's normal distribution.
            actions = torch.empty_like(mean).normal_().mul_(deviation).add_(mean)
        surprise = (actions - mean).square_().neg_().div_(2 * deviation.square())
        per_action = surprise.sub_(deviation.log()).sub_(_LOG_SQRT_2PI)
        return actions.reshape(-1, *self._action_shape), values, per_action.sum(dim=1)


def _layers(net: nn.Sequential | list[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    return [(layer.weight, layer.bias) for layer in net if isinstance(layer, nn.Linear)]


def _forward(layers: list[tuple[Tensor, Tensor]], values: Tensor) -> Tensor:
    for weight, bias in layers[:-1]:
        values = functional.linear(values, weight, bias).tanh_()
    return functional.linear(values, *layers[-1])

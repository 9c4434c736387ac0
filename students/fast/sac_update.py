"""One whole update of SAC as a function over static tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, Actor
from torch import Tensor, nn

from .dense_layers import (
    Layer,
    forward,
    gradients_behind,
    input_gradient,
    linear,
    linear_relu,
    weight_gradient,
)
from .device_replay_buffer import Minibatch
from .piecewise_adam import PiecewiseAdam, lerp_in_pieces
from .side_by_side import SideBySide

_EPSILON = 1e-6
"""Keeps the logarithm of a squashed action's density finite, as in Stable-Baselines3."""
_LOG_NORMAL = 0.5 * math.log(2 * math.pi)
_BLOCK = 64
"""In rows."""
STATISTICS = ("ent_coef", "actor_loss", "critic_loss", "ent_coef_loss")
"""Values that are summed over updates."""


class SACUpdate:
    """One gradient step of the critics, entropy coefficient, actor and target networks of SAC.

    Computes the same as `stable_baselines3.SAC.train`, in the same order and with the same draws of noise,
    except for unused gradients. Nothing in it waits for the device or depends on values, so that it can be
    captured as a CUDA graph.

    Args:
        actor: Network of the policy, with its optimizer.
        critic: Networks of the critics, with their optimizer.
        critic_target: Their slow copies.
        ent_coef: Logarithm of the entropy coefficient, shape (1,), if it is learned, else the coefficient.
        ent_coef_optimizer: Its optimizer; None for a fixed coefficient.
        target_entropy: Target entropy.
        gamma: Discount factor.
        tau: Soft update coefficient of the target networks.

    Attributes:
        statistics: Sums over updates of the values named in `STATISTICS`, shape (4,).
    """

    def __init__(
        self,
        actor: Actor,
        critic: ContinuousCritic,
        critic_target: ContinuousCritic,
        ent_coef: Tensor,
        ent_coef_optimizer: torch.optim.Optimizer | None,
        target_entropy: float,
        gamma: float,
        tau: float,
    ) -> None:
        self.ent_coef = ent_coef
        self.ent_coef_optimizer = ent_coef_optimizer
        self.target_entropy = target_entropy
        self.gamma = gamma
        self.tau = tau
        self.statistics = torch.zeros(len(STATISTICS), device=ent_coef.device)
        self._actor_optimizer, self._critic_optimizer = actor.optimizer, critic.optimizer
        self._actor_hidden = _linear_layers(actor.latent_pi.children())
        self._heads = _linear_layers(actor.get_submodule(name) for name in ("mu", "log_std"))
        self._critics = [_linear_layers(network.children()) for network in critic.q_networks]
        self._targets = [_linear_layers(network.children()) for network in critic_target.q_networks]
        self._moving: list[Tensor] = list(critic.parameters())
        self._following: list[Tensor] = list(critic_target.parameters())
        self._acting = list(actor.parameters())
        self._side_by_side = SideBySide(ent_coef.device, len(self._critics) * len(self._critics[0]))
        self._actor_adam, self._critic_adam = PiecewiseAdam(actor.optimizer), PiecewiseAdam(critic.optimizer)

    def tensors(self) -> list[Tensor]:
        """All tensors that an update reads and writes, except its minibatch and those it allocates."""
        optimizers = [self._actor_optimizer, self._critic_optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        states = [value for o in optimizers for state in o.state.values() for value in state.values()]
        rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
        found = [*self._acting, *self._moving, *self._following, self.ent_coef, *states, *rates]
        return [tensor for tensor in found if isinstance(tensor, Tensor)]

    @torch.no_grad()
    def __call__(self, batch: Minibatch, move_targets: bool) -> None:
        """Make one gradient step.

        Args:
            batch: Transitions to learn from.
            move_targets: Whether to update the target networks.
        """
        n = len(batch.rows)
        parts: list[Any] = self._side_by_side(
            partial(self._actor_forward, torch.cat((batch.observations, batch.next_observations))),
            *(partial(forward, layers, batch.pairs) for layers in self._critics),
        )
        (values, mean, log_std), *judged = parts
        noise = torch.empty_like(mean)
        # Two draws as in Stable-Baselines3, so that the same seed gives the same noise.
        noise[:n].normal_()
        noise[n:].normal_()
        std = log_std.clamp(LOG_STD_MIN, LOG_STD_MAX).exp()
        chosen = torch.addcmul(mean, std, noise).tanh_()
        log_density = self._log_density(chosen, noise, log_std)

        ent_coef = self._step_ent_coef(log_density[:n])
        wanted = self._wanted(batch, chosen[n:], log_density[n:], ent_coef)
        critic_loss = self._step_critics(judged, wanted)
        lowest, uphill = self._value_of(batch.observations, chosen[:n])
        actor_loss = (ent_coef * log_density[:n] - lowest).mean()
        self._assign_actor_gradients(
            [value[:n] for value in values], chosen[:n], noise[:n], log_std[:n], std[:n], uphill, ent_coef
        )
        follow = partial(lerp_in_pieces, self._following, self._moving, self.tau)
        self._side_by_side(self._actor_adam.step, *([follow] if move_targets else []))
        self.statistics[:3] += torch.stack((ent_coef, actor_loss, critic_loss))

    def _actor_forward(self, observations: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Inputs of the actor's layers; means and log standard deviations, shape (n, actions)."""
        values = [observations]
        for layer in self._actor_hidden:
            values.append(linear_relu(values[-1], layer))
        mean, log_std = linear(values[-1], self._joint_heads()).chunk(2, dim=1)
        return values, mean, log_std

    def _joint_heads(self) -> Layer:
        (mean_weight, mean_bias), (std_weight, std_bias) = self._heads
        return torch.cat((mean_weight, std_weight)), torch.cat((mean_bias, std_bias))

    def _log_density(self, actions: Tensor, noise: Tensor, log_std: Tensor) -> Tensor:
        """Logarithm of the density of squashed actions, shape (n, 1)."""
        squashing = torch.log(1 - actions * actions + _EPSILON)
        per_action = 0.5 * noise * noise + log_std.clamp(LOG_STD_MIN, LOG_STD_MAX) + squashing
        return -(per_action + _LOG_NORMAL).sum(dim=1, keepdim=True)

    def _step_ent_coef(self, log_density: Tensor) -> Tensor:
        """The entropy coefficient of this update, shape (); a learned one is then updated."""
        if self.ent_coef_optimizer is None:
            return self.ent_coef
        gap = -(log_density + self.target_entropy).mean()
        self.statistics[3] += (self.ent_coef * gap).squeeze()
        ent_coef = self.ent_coef.exp().squeeze()
        self.ent_coef.grad = gap.view_as(self.ent_coef)
        self.ent_coef_optimizer.step()
        return ent_coef

    def _wanted(self, batch: Minibatch, actions: Tensor, log_density: Tensor, ent_coef: Tensor) -> Tensor:
        """Targets of the critics, shape (n, 1), given the actor's next actions."""
        pairs = torch.cat((batch.next_observations, actions), dim=1)
        said = self._side_by_side(*(partial(forward, layers, pairs) for layers in self._targets))
        value = (
            torch.cat([values[-1] for values in said], dim=1).amin(dim=1, keepdim=True)
            - ent_coef * log_density
        )
        return batch.rewards + batch.goes_on * self.gamma * value

    def _step_critics(self, judged: list[list[Tensor]], wanted: Tensor) -> Tensor:
        """Move the critics' outputs for the inputs in `judged` towards their targets; returns the loss."""

        def loss_of(layers: list[Layer], values: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            error = values[-1] - wanted
            return 0.5 * (error * error).mean(), gradients_behind(layers, values, error / len(error))

        pairs = zip(self._critics, judged, strict=True)
        losses, behind = zip(
            *self._side_by_side(*(partial(loss_of, layers, values) for layers, values in pairs)), strict=True
        )
        gradients = self._weight_gradients(
            [gradient for gradients in behind for gradient in gradients],
            [value for values in judged for value in values[:-1]],
        )
        _assign([layer for layers in self._critics for layer in layers], gradients)
        self._critic_adam.step()
        return torch.stack(losses).sum()

    def _weight_gradients(self, behind: Sequence[Tensor], values: Sequence[Tensor]) -> list[Layer]:
        """Gradients of layers, from the gradients behind them and their inputs."""
        pairs = zip(behind, values, strict=True)
        return self._side_by_side(*(partial(weight_gradient, *pair) for pair in pairs))

    def _value_of(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Values of the lowest critic, shape (n, 1), and their gradients in actions, shape (n, actions)."""
        pairs = torch.cat((observations, actions), dim=1)
        values = self._side_by_side(*(partial(forward, layers, pairs) for layers in self._critics))
        lowest, which = torch.cat([value[-1] for value in values], dim=1).min(dim=1, keepdim=True)
        owners = [(which == i).to(pairs.dtype) for i in range(len(self._critics))]
        of_actions = slice(observations.shape[1], None)

        def uphill_of(layers: list[Layer], value: list[Tensor], owned: Tensor, rows: Tensor | None) -> Tensor:
            if rows is None:
                return input_gradient(layers, value, owned, of_actions)
            some = [part.index_select(0, rows) for part in value]
            gradient = input_gradient(layers, some, owned.index_select(0, rows), of_actions)
            return torch.zeros_like(actions).index_add_(0, rows, gradient)

        parts = zip(self._critics, values, owners, _rows(which, owners), strict=True)
        uphill = self._side_by_side(*(partial(uphill_of, *part) for part in parts))
        return lowest, torch.stack(uphill).sum(dim=0)

    def _assign_actor_gradients(
        self,
        values: list[Tensor],
        actions: Tensor,
        noise: Tensor,
        log_std: Tensor,
        std: Tensor,
        uphill: Tensor,
        ent_coef: Tensor,
    ) -> None:
        """The gradient of ent_coef · log density − lowest value, averaged over the minibatch."""
        slope = 1 - actions * actions
        of_mean = slope * (2 * ent_coef * actions / (slope + _EPSILON) - uphill)
        of_log_std = of_mean * std * noise - ent_coef
        inside = (log_std >= LOG_STD_MIN) & (log_std <= LOG_STD_MAX)
        gradient = torch.cat((of_mean, of_log_std * inside), dim=1) / len(actions)
        joint = self._joint_heads()
        behind = gradients_behind([*self._actor_hidden, joint], values, gradient)
        *hidden, (weight, bias) = self._weight_gradients(behind, values)
        _assign(self._actor_hidden, hidden)
        _assign(self._heads, list(zip(weight.chunk(2), bias.chunk(2), strict=True)))


def _rows(which: Tensor, owners: Sequence[Tensor]) -> list[Tensor | None]:
    """Rows that contain those of each critic, None for all: only one critic has a gradient in each row."""
    if which.device.type != "cpu":
        # Captured work cannot depend on their number.
        return [None] * len(owners)
    order = which.flatten().argsort()
    ends = torch.stack([owned.sum() for owned in owners]).cumsum(0).long().tolist()
    return [
        # Few different numbers of rows, as oneDNN compiles for each.
        order[start // _BLOCK * _BLOCK : -(-end // _BLOCK) * _BLOCK]
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def _linear_layers(parts: Iterable[nn.Module]) -> list[Layer]:
    return [(part.weight, part.bias) for part in parts if isinstance(part, nn.Linear)]


def _assign(layers: Sequence[Layer], gradients: Sequence[Layer]) -> None:
    for (weight, bias), (of_weight, of_bias) in zip(layers, gradients, strict=True):
        weight.grad, bias.grad = of_weight, of_bias

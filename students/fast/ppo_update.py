"""PPO's update for small networks, with hand-written forward and backward passes.

With networks of a few thousand weights, autograd spends most of an update on bookkeeping. Here policy and
value network, which have equal layers, share batched matrix products, and all parameters and all gradients
are stored in one tensor each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from stable_baselines3.common.distributions import CategoricalDistribution, DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import Tensor, nn

_MINUS_ONE = torch.tensor(-1.0)
_LOG_SQRT_2PI = math.log(math.sqrt(2 * math.pi))
STATISTICS = ("entropy_loss", "policy_gradient_loss", "value_loss", "approx_kl", "clip_fraction", "loss")
"""Statistics of an update, named as in Stable-Baselines3's logs."""


@dataclass(frozen=True)
class Minibatch:
    """Transitions to learn from; all arrays except observations and actions have shape (n,).

    Attributes:
        observations: float32 of shape (n, observation size).
        actions: float32 of shape (n, action size); one column of integers for discrete actions.
        log_probabilities: Log-probabilities of the actions when they were chosen.
        advantages: Advantages of the actions.
        returns: Targets of the value network.
    """

    observations: Tensor
    actions: Tensor
    log_probabilities: Tensor
    advantages: Tensor
    returns: Tensor

    def __len__(self) -> int:
        return len(self.returns)

    def pick(self, rows: Tensor) -> Minibatch:
        """The given rows, in their order."""
        return Minibatch(*(part[rows] for part in self._parts()))

    def split(self, size: int) -> Iterator[Minibatch]:
        """Pieces of `size` rows; the last one may be shorter."""
        for start in range(0, len(self), size):
            yield Minibatch(*(part[start : start + size] for part in self._parts()))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.observations, self.actions, self.log_probabilities, self.advantages, self.returns


def can_be_written_out(policy: nn.Module) -> bool:
    """Whether a policy's update is implemented here.

    Required are separate policy and value networks of equal layers with tanh between them, on flat
    observations, for continuous actions with a state-independent standard deviation, or for discrete actions.
    """
    if type(policy) is not ActorCriticPolicy or type(policy.features_extractor) is not FlattenExtractor:
        return False
    if type(policy.action_dist) not in (DiagGaussianDistribution, CategoricalDistribution):
        return False
    nets = [list(net) for net in (policy.mlp_extractor.policy_net, policy.mlp_extractor.value_net)]
    if not nets[0] or len(nets[0]) != len(nets[1]):
        return False
    for one, other in zip(*nets, strict=True):
        if type(one) is not type(other) or type(one) not in (nn.Linear, nn.Tanh):
            return False
        if isinstance(one, nn.Linear) and one.weight.shape != other.weight.shape:
            return False
    return all(isinstance(layer, nn.Tanh) for layer in nets[0][1::2])


class PPOUpdate:
    """One gradient step of PPO (Schulman et al. 2017, eq. 9), for policies that `can_be_written_out`.

    The policy's parameters become views of one tensor, and so do their gradients; they remain the same
    parameter objects for its optimizer and its files.

    Args:
        policy: The policy to train.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self._policy = policy
        self._is_choice = isinstance(policy.action_dist, CategoricalDistribution)
        pairs = list(zip(policy.mlp_extractor.policy_net, policy.mlp_extractor.value_net, strict=True))[::2]
        blocks = [[getattr(layer, kind) for layer in pair] for pair in pairs for kind in ("weight", "bias")]
        heads = [*policy.action_net.parameters(), *policy.value_net.parameters()]
        blocks += [[parameter] for parameter in heads]
        if not self._is_choice:
            blocks.append([policy.log_std])
        values, self._gradient = _flatten(blocks)
        stacked = [(_stack(block), _stack([p.grad for p in block if p.grad is not None])) for block in blocks]
        depth = len(pairs)
        self._weights = [stacked[2 * i] for i in range(depth)]
        self._biases = [stacked[2 * i + 1] for i in range(depth)]
        self._heads = [(head.data, head.grad) for head in heads if head.grad is not None]
        self._values = values
        self._told: list[tuple[Tensor, ...]] = []

    def is_current(self) -> bool:
        """Whether the policy's parameters and gradients are still views of these tensors."""
        first = next(iter(self._policy.mlp_extractor.policy_net.parameters()))
        return first.data_ptr() == self._values.data_ptr() and first.grad is not None

    @torch.no_grad()
    def __call__(
        self,
        batch: Minibatch,
        clip_range: float,
        ent_coef: float,
        vf_coef: float,
        max_grad_norm: float,
        normalize_advantage: bool,
    ) -> None:
        """Make one gradient step on a minibatch.

        Args:
            batch: Transitions to learn from.
            clip_range: Clip range of the probability ratio.
            ent_coef: Weight of the entropy.
            vf_coef: Weight of the value loss.
            max_grad_norm: Maximum norm, to which the gradient is scaled down.
            normalize_advantage: Whether the advantages of the minibatch are standardised.
        """
        n = len(batch)
        advantages = batch.advantages
        if normalize_advantage and n > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        hidden = self._forward(batch.observations)
        (action_w, _), (action_b, _), (value_w, _), (value_b, _) = self._heads
        output = torch.addmm(action_b, hidden[-1][0], action_w.t())
        if self._is_choice:
            output = output.log_softmax(dim=1)
        values = torch.addmm(value_b, hidden[-1][1], value_w.t()).squeeze(1)

        chosen, surprise, entropy = self._judge(output, batch.actions)
        log_ratio = chosen - batch.log_probabilities
        ratio = log_ratio.exp()
        plain, clipped = advantages * ratio, advantages * ratio.clamp(1 - clip_range, 1 + clip_range)
        error = values - batch.returns
        # The smaller of the two counts; if it is the clipped one, the gradient in the ratio is zero.
        pull = torch.where(plain <= clipped, plain, 0.0).mul_(-1 / n)

        output_gradient = self._output_gradient(output, surprise, pull, ent_coef / n)
        value_gradient = error.mul(2 * vf_coef / n).unsqueeze(1)
        self._backward(batch.observations, hidden, output_gradient, value_gradient)
        if not self._is_choice:
            gradient = self._policy.log_std.grad
            assert gradient is not None
            torch.sum(pull.unsqueeze(1) * (surprise * surprise - 1), dim=0, out=gradient)
            gradient.sub_(ent_coef)
        norm = torch.linalg.vector_norm(self._gradient)
        self._gradient.mul_((max_grad_norm / (norm + 1e-6)).clamp_(max=1.0))
        self._policy.optimizer.step()

        self._told.append((entropy, plain, clipped, error, ratio, log_ratio))

    def forget_statistics(self) -> None:
        """Reset the statistics."""
        self._told.clear()

    @torch.no_grad()
    def statistics(self, clip_range: float, ent_coef: float, vf_coef: float) -> Tensor:
        """Statistics of the steps since the last reset, one row per step with the columns of `STATISTICS`.

        Computed for all steps at once, since twenty operations per minibatch would cost a tenth of a step.

        Args:
            clip_range: As in these steps.
            ent_coef: As in these steps.
            vf_coef: As in these steps.
        """
        lengths = torch.tensor([len(told[-1]) for told in self._told])
        entropy = torch.stack([told[0] for told in self._told])
        plain, clipped, error, ratio, log_ratio = (
            torch.cat([told[part] for told in self._told]) for part in range(1, 6)
        )
        strays = ((ratio - 1).abs() > clip_range).float()
        per_row = [-torch.min(plain, clipped), error.square(), ratio - 1 - log_ratio, strays]
        means = torch.segment_reduce(torch.stack(per_row, dim=1), "mean", lengths=lengths)
        policy_loss, value_loss, divergence, strayed = means.T
        loss = policy_loss - ent_coef * entropy + vf_coef * value_loss
        return torch.stack([-entropy, policy_loss, value_loss, divergence, strayed, loss], dim=1)

    def _forward(self, observations: Tensor) -> list[Tensor]:
        """Outputs of each layer of both networks, shape (2, n, width)."""
        values = observations.expand(2, *observations.shape)
        hidden = []
        for (weight, _), (bias, _) in zip(self._weights, self._biases, strict=True):
            values = torch.baddbmm(bias.unsqueeze(1), values, weight.transpose(1, 2), beta=2, alpha=2)
            # tanh(x) = 2 sigmoid(2 x) - 1, six times as fast: torch vectorizes the sigmoid, but not tanh.
            values = torch.add(_MINUS_ONE, values.sigmoid_(), alpha=2, out=values)
            hidden.append(values)
        return hidden

    def _judge(self, output: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability of each action, a factor of its gradient, and the mean entropy.

        The output is the mean of each action, or the log-probability of each option. The second result is,
        for continuous actions, their distance from the mean in standard deviations, shape (n, actions); for
        discrete ones, the one-hot encoding of the chosen option, shape (n, options).
        """
        if self._is_choice:
            taken = torch.zeros_like(output).scatter_(1, actions.long().view(-1, 1), 1.0)
            entropy = -(output.exp() * output).sum(dim=1).mean()
            return (taken * output).sum(dim=1), taken, entropy
        log_std = self._policy.log_std
        surprise = (actions - output) * (-log_std).exp()
        per_action = surprise.square().mul_(-0.5) - (log_std + _LOG_SQRT_2PI)
        return per_action.sum(dim=1), surprise, (log_std + (0.5 + _LOG_SQRT_2PI)).sum()

    def _output_gradient(self, output: Tensor, surprise: Tensor, pull: Tensor, entropy: float) -> Tensor:
        """Gradient of the loss with respect to the policy network's output, shape (n, outputs)."""
        if not self._is_choice:
            return pull.unsqueeze(1) * surprise * (-self._policy.log_std).exp()
        probabilities = output.exp()
        gradient = pull.unsqueeze(1) * (surprise - probabilities)
        if entropy:
            mean = (probabilities * output).sum(dim=1, keepdim=True)
            gradient += entropy * probabilities * (output - mean)
        return gradient

    def _backward(
        self, observations: Tensor, hidden: list[Tensor], output_gradient: Tensor, value_gradient: Tensor
    ) -> None:
        """Write the gradients of all weights and biases to their views."""
        top = hidden[-1]
        gradient = torch.empty_like(top)
        for side, outer in enumerate((output_gradient, value_gradient)):
            (weight, weight_gradient), (_, bias_gradient) = self._heads[2 * side : 2 * side + 2]
            torch.mm(outer.t(), top[side], out=weight_gradient)
            torch.sum(outer, dim=0, out=bias_gradient)
            torch.mm(outer, weight, out=gradient[side])
        below = [observations.expand(2, *observations.shape), *hidden[:-1]]
        for depth in reversed(range(len(hidden))):
            gradient = torch.ops.aten.tanh_backward(gradient, hidden[depth])
            weight, weight_gradient = self._weights[depth]
            torch.bmm(gradient.transpose(1, 2), below[depth], out=weight_gradient)
            torch.sum(gradient, dim=1, out=self._biases[depth][1])
            if depth > 0:
                gradient = torch.bmm(gradient, weight)


def _flatten(blocks: list[list[nn.Parameter]]) -> tuple[Tensor, Tensor]:
    """Make parameters and their gradients views of one tensor each, in the order of the blocks."""
    parameters = [parameter for block in blocks for parameter in block]
    values = torch.cat([parameter.data.flatten() for parameter in parameters])
    gradient = torch.zeros_like(values)
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        shape = parameter.shape
        parameter.data = values[start:end].view(shape)
        parameter.grad = gradient[start:end].view(shape)
        start = end
    return values, gradient


def _stack(neighbours: list[Tensor]) -> Tensor:
    """Adjacent tensors of one shape, as one tensor of shape (count, …)."""
    first = neighbours[0].data
    shape = (len(neighbours), *first.shape)
    return first.as_strided(shape, (first.numel(), *first.stride()), first.storage_offset())

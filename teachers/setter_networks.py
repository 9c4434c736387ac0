"""The networks of Setter-Solver: a conditional normalizing flow, and a judge of feasibility."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .networks import Networks, linear, tensor, torch_generator

Floats = NDArray[np.float64]

_BLOCKS = 3
_GATED_LAYERS = 3
_JUDGE = 64
_LEARNING_RATE = 3e-4
_LEAST_SCALE = 0.01
_EDGE = 1e-4
"""Smallest distance of a task from 0 and 1 where its density is needed."""


class SetterNetworks(Networks):
    """A setter, which draws tasks of a desired feasibility, and a judge, which estimates feasibility.

    Args:
        dim: Dimensions of a task.
        hidden: Units of the setter's hidden layers.
        rng: Draws the initial weights.
    """

    def __init__(self, dim: int, hidden: int, rng: np.random.Generator) -> None:
        seeded = torch_generator(rng)
        self.setter = Setter(dim, hidden, seeded)
        self.judge = nn.Sequential(
            *(linear(dim, _JUDGE, seeded), nn.ReLU(), linear(_JUDGE, _JUDGE, seeded), nn.ReLU()),
            linear(_JUDGE, 1, seeded),
        )
        super().__init__(
            {
                name: (list(net.parameters()), torch.optim.Adam(net.parameters(), _LEARNING_RATE, fused=True))
                for name, net in (("setter", self.setter), ("judge", self.judge))
            }
        )

    def draw(self, noise: Floats, feasibility: Floats) -> Floats:
        """Tasks in [0, 1]^d, shape (n, d), from Gaussian noise (n, d) and desired feasibilities (n,)."""
        with torch.no_grad():
            tasks: Floats = self.setter(tensor(noise), _column(feasibility))[0].numpy().astype(np.float64)
        return tasks

    def fit(
        self, tasks: Floats, successes: Floats, wished: Floats, noise: tuple[Floats, Floats, Floats]
    ) -> None:
        """Take one training step of the judge, and one of the setter.

        Args:
            tasks: Played tasks, in [0, 1]^d, shape (n, d).
            successes: 1 where the student succeeded, 0 elsewhere, shape (n,).
            wished: The feasibility that each task was drawn for, shape (n,).
            noise: Added to each task, shape (n, d); Gaussian noise, shape (m, d), and desired feasibilities,
                shape (m,), of new tasks.
        """
        logits = self.judge(tensor(tasks))[:, 0]
        self._step("judge", functional.binary_cross_entropy_with_logits(logits, tensor(successes)))
        added, places, wishes = noise
        drawn, density = self.setter(tensor(places), _column(wishes))
        # Feasibility, and coverage: the negative entropy of the drawn tasks.
        missed = self.judge(drawn)[:, 0] - torch.logit(_column(wishes)[:, 0])
        loss = (missed**2).mean() + density.mean()
        solved = successes > 0
        if solved.any():  # validity
            reached = tensor((tasks + added)[solved]).clamp(_EDGE, 1 - _EDGE)
            loss = loss - self.setter.log_density(reached, _column(wished[solved])).mean()
        self._step("setter", loss)


class Setter(nn.Module):
    """A conditional RealNVP (Dinh et al., ICLR 2017): from Gaussian noise to tasks in (0, 1)^d.

    Three blocks of three couplings, in which the left half of the numbers transforms the right half, the
    right half the left one, and those with an even index the others; then a sigmoid.

    Args:
        dim: Dimensions of a task.
        hidden: Units of the hidden layers.
        generator: Draws the initial weights.
    """

    def __init__(self, dim: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        index = torch.arange(dim)
        halves = (index < dim // 2, index >= dim // 2, index % 2 == 0)
        self.couplings = nn.ModuleList(
            _Coupling(kept, hidden, generator) for _ in range(_BLOCKS) for kept in halves
        )

    def forward(self, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Tasks, shape (n, d), and the logarithm of their density, shape (n,).

        Args:
            noise: Gaussian, shape (n, d).
            condition: Shape (n, 1).
        """
        places, density = noise, _log_gaussian(noise)
        for coupling in self.couplings:
            places, logarithms = coupling(places, condition)
            density = density - logarithms
        slopes = functional.logsigmoid(places) + functional.logsigmoid(-places)
        return torch.sigmoid(places), density - slopes.sum(dim=1)

    def log_density(self, tasks: Tensor, condition: Tensor) -> Tensor:
        """The logarithm of the density of tasks in (0, 1)^d, shape (n, d), given conditions, shape (n, 1)."""
        places = torch.logit(tasks)
        slopes = functional.logsigmoid(places) + functional.logsigmoid(-places)
        density = -slopes.sum(dim=1)
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, _Coupling)
            places, logarithms = coupling.inverse(places, condition)
            density = density - logarithms
        return density + _log_gaussian(places)


class _Coupling(nn.Module):
    """Scales and shifts some numbers by the outputs of two highway networks, computed from the others.

    Args:
        kept: Which numbers do not change, shape (d,).
        hidden: Units of the hidden layers.
        generator: Draws the initial weights.
    """

    changed: Tensor

    def __init__(self, kept: Tensor, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("changed", (~kept).float())
        self.networks = _HighwayPair(len(kept) + 1, hidden, len(kept), generator)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers, shape (n, d), and the logarithm of the volume's change, shape (n,)."""
        scale, shift = self._scale_and_shift(x, condition)
        return x * scale + shift, torch.log(scale).sum(dim=1)

    def inverse(self, y: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """The input that `forward` maps to `y`, and the logarithm of the volume's change in `forward`."""
        scale, shift = self._scale_and_shift(y, condition)
        return (y - shift) / scale, torch.log(scale).sum(dim=1)

    def _scale_and_shift(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.networks(torch.cat([x * (1 - self.changed), condition], dim=1))
        scale = _LEAST_SCALE + functional.softplus(torch.atan(raw))
        return torch.where(self.changed > 0, scale, 1.0), shift * self.changed


class _HighwayPair(nn.Module):
    """Two highway networks side by side: a layer with tanh, three gated layers, a linear layer.

    Args:
        inputs: Number of inputs of each.
        hidden: Units of the hidden layers.
        outputs: Number of outputs of each.
        generator: Draws the initial weights.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        # A gated layer has two matrices, one for the gate.
        shapes = [(inputs, hidden, 1), *[(hidden, hidden, 2)] * _GATED_LAYERS, (hidden, outputs, 1)]
        weights = []
        for rows, columns, parts in shapes:
            bound = math.sqrt(6 / (rows + columns))
            drawn = torch.empty(2, rows, parts * columns).uniform_(-bound, bound, generator=generator)
            weights.append(nn.Parameter(drawn))
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(torch.zeros(2, 1, weight.shape[2]) for weight in weights)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of both, shape (2, n, outputs), for inputs of shape (n, inputs)."""
        (first, *gated, last) = zip(self.biases, self.weights, strict=True)
        units = torch.tanh(torch.baddbmm(first[0], x.expand(2, *x.shape), first[1]))
        for bias, weight in gated:
            new, gate = torch.baddbmm(bias, units, weight).chunk(2, dim=2)
            units = torch.lerp(units, torch.tanh(new), torch.sigmoid(gate))
        return torch.baddbmm(last[0], units, last[1])


def _log_gaussian(x: Tensor) -> Tensor:
    return -0.5 * (x**2 + math.log(2 * math.pi)).sum(dim=1)


def _column(numbers: Floats) -> Tensor:
    return tensor(numbers)[:, None]

"""The least-squares GAN of Goal GAN."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .networks import Networks, linear, tensor, torch_generator

Floats = NDArray[np.float64]

_GENERATOR, _DISCRIMINATOR = 256, 128
"""Units of each of the two hidden layers."""
_SLOPE = 0.1
_LEARNING_RATE = 1e-3
_BATCH = 64


class GoalGenerator(Networks):
    """Draws points of [0, 1]^d similar to those labelled as good (Florensa et al., ICML 2018).

    Loss of the discriminator D: the mean of (2y − 1 − D(x))², over 64 labelled points, and 64 generated
    ones with y = 0. Loss of the generator G: the mean of (D(G(z)) − 1)².

    Args:
        dim: Dimensions of a point.
        rng: Draws the initial weights, and everything else in `fit`.
    """

    def __init__(self, dim: int, rng: np.random.Generator) -> None:
        self._dim = dim
        seeded = torch_generator(rng)
        self._generator = nn.Sequential(
            *(linear(dim, _GENERATOR, seeded), nn.ReLU()),
            *(linear(_GENERATOR, _GENERATOR, seeded), nn.ReLU()),
            *(linear(_GENERATOR, dim, seeded), nn.Tanh()),
        )
        self._discriminator = nn.Sequential(
            *(linear(dim, _DISCRIMINATOR, seeded), nn.LeakyReLU(_SLOPE)),
            *(linear(_DISCRIMINATOR, _DISCRIMINATOR, seeded), nn.LeakyReLU(_SLOPE)),
            linear(_DISCRIMINATOR, 1, seeded),
        )
        super().__init__(
            {
                name: (list(net.parameters()), torch.optim.RMSprop(net.parameters(), _LEARNING_RATE))
                for name, net in (("generator", self._generator), ("discriminator", self._discriminator))
            }
        )

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw points, shape (n, d); some may lie up to half a range outside [0, 1]^d."""
        with torch.no_grad():
            drawn: Floats = self._generator(tensor(rng.standard_normal((n, self._dim)))).numpy()
        # The authors scale goals to [-0.5, 0.5], and the generator goes to [-1, 1].
        return drawn.astype(np.float64) + 0.5

    def fit(self, points: Floats, labels: Floats, iterations: int, rng: np.random.Generator) -> None:
        """Train both networks in turn.

        Args:
            points: In [0, 1]^d, shape (n, d).
            labels: 1 for good points, 0 for others, shape (n,).
            iterations: Training steps of each network.
            rng: Draws the batches.
        """
        real, wanted = tensor(points - 0.5), tensor(2 * labels - 1)
        chosen = torch.from_numpy(rng.integers(len(points), size=(iterations, _BATCH)))
        noise = tensor(rng.standard_normal((iterations, 2, _BATCH, self._dim)))
        for rows, (one, other) in zip(chosen, noise, strict=True):
            with torch.no_grad():
                generated = self._generator(one)
            values = self._discriminator(torch.cat([real[rows], generated]))[:, 0]
            targets = torch.cat([wanted[rows], -torch.ones(_BATCH)])
            self._step("discriminator", ((targets - values) ** 2).mean())
            self._step("generator", ((self._discriminator(self._generator(other)) - 1) ** 2).mean())

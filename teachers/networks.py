"""Code shared by teachers with networks: layers drawn from the teacher's generator, states as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]


class Networks:
    """Networks of a teacher, each with an optimizer.

    Args:
        parts: Parameters and optimizer of each network, by name.
    """

    def __init__(self, parts: Mapping[str, tuple[list[nn.Parameter], torch.optim.Optimizer]]) -> None:
        self._parts = parts

    def _step(self, name: str, loss: Tensor) -> None:
        """Take a gradient step on the parameters of one network only."""
        parameters, optimizer = self._parts[name]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here."""
        return {name: _array_state(*part) for name, part in self._parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        for name, part in self._parts.items():
            _load_array_state(*part, state[name])


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A torch generator, seeded from a NumPy generator."""
    generator = torch.Generator()
    generator.manual_seed(int(rng.integers(2**63)))
    return generator


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with Xavier-uniform weights and zero biases; torch's global generator is not used."""
    # On the meta device, torch draws no default weights.
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def tensor(array: Any) -> Tensor:
    """Copy an array to a float32 tensor."""
    return torch.tensor(np.asarray(array), dtype=torch.float32)


def _array_state(parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Parameters and their optimizer state, as arrays."""
    return {
        "parameters": [p.detach().numpy().copy() for p in parameters],
        "optimizer": [
            {name: moment.numpy().copy() for name, moment in optimizer.state[p].items()} for p in parameters
        ],
    }


def _load_array_state(
    parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
) -> None:
    """Restore what `_array_state` returned."""
    with torch.no_grad():
        for p, numbers in zip(parameters, state["parameters"], strict=True):
            p.copy_(torch.tensor(numbers))
    for p, moments in zip(parameters, state["optimizer"], strict=True):
        optimizer.state[p] = {name: torch.tensor(moment) for name, moment in moments.items()}

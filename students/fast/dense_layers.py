"""Stacks of linear layers with ReLU between them, forward and backward, written out by hand.

SAC needs of its networks only these two, and needs them in parts: the gradients of the critics' weights for
one loss, those of their inputs for another. Through oneDNN, where torch's build has it, bias and ReLU are
part of the matrix product on a CPU, in true float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_SAME = 1e-5
"""Relative difference that rounding explains."""

Layer = tuple[Tensor, Tensor]
"""Weight, shape (outputs, inputs), and bias, shape (outputs,)."""


def _onednn_product() -> Any:
    """The fused product of oneDNN if this build of torch has one that computes what it should, else None."""
    try:
        product = torch.ops.mkldnn._linear_pointwise.default
        x, weight, bias = torch.linspace(-1, 1, 60).view(3, 4, 5).unbind()
        fused = product(x, weight, bias[:, 0].contiguous(), "relu", [], "")
        turned = product(x, weight.t().contiguous().t(), None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    expected = functional.linear(x, weight, bias[:, 0])
    agrees = torch.allclose(fused, expected.relu(), _SAME) and torch.allclose(turned, x @ weight.t(), _SAME)
    return product if agrees else None


onednn: Any = _onednn_product()
"""oneDNN's product with bias and ReLU in one call; None where torch's own operations are used instead."""


def linear(x: Tensor, layer: Layer) -> Tensor:
    """Outputs of a linear layer, shape (n, outputs), for inputs of shape (n, inputs)."""
    return _product(x, *layer, "none")


def linear_relu(x: Tensor, layer: Layer) -> Tensor:
    """Outputs of a linear layer with ReLU, shape (n, outputs), for inputs of shape (n, inputs)."""
    return _product(x, *layer, "relu")


def forward(layers: Sequence[Layer], x: Tensor) -> list[Tensor]:
    """What goes into each layer, and last what comes out of the last, which has no ReLU.

    Args:
        layers: From the input on.
        x: Shape (n, inputs).
    """
    values = [x]
    for layer in layers[:-1]:
        values.append(linear_relu(values[-1], layer))
    values.append(linear(values[-1], layers[-1]))
    return values


def gradients_behind(layers: Sequence[Layer], values: Sequence[Tensor], gradient: Tensor) -> list[Tensor]:
    """Gradients with respect to what comes out of each layer, before its ReLU.

    Args:
        layers: From the input on.
        values: As `forward` returned them.
        gradient: With respect to the output, shape (n, outputs).
    """
    gradients = [gradient]
    for depth in reversed(range(1, len(layers))):
        gradients.append(_through(layers[depth][0], gradients[-1], values[depth]))
    return gradients[::-1]


def weight_gradient(gradient: Tensor, value: Tensor) -> Layer:
    """Gradients of a layer's weight and bias.

    Args:
        gradient: With respect to what comes out of it, shape (n, outputs).
        value: What goes into it, shape (n, inputs).
    """
    if gradient.device.type == "cpu":
        return _transposed_product(gradient, value), gradient.sum(dim=0)
    # Adding up long columns takes a GPU 13 µs, a product with ones 4.
    return _transposed_product(gradient, value), torch.mv(gradient.t(), gradient.new_ones(len(gradient)))


def input_gradient(
    layers: Sequence[Layer], values: Sequence[Tensor], gradient: Tensor, inputs: slice = slice(None)
) -> Tensor:
    """Gradient of some of the inputs, shape (n, inputs asked for).

    Args:
        layers: From the input on.
        values: As `forward` returned them.
        gradient: With respect to the output, shape (n, outputs).
        inputs: Which of them.
    """
    for depth in reversed(range(1, len(layers))):
        gradient = _through(layers[depth][0], gradient, values[depth])
    return _product(gradient, layers[0][0][:, inputs].t(), None, "none")


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    if onednn is not None and x.device.type == "cpu" and x.dtype == torch.float32:
        # With gaps between rows or columns oneDNN falls back to something a hundred times slower.
        if not (weight.is_contiguous() or weight.t().is_contiguous()):
            weight = weight.contiguous()
        result: Tensor = onednn(x, weight, bias, then, [], "")
        return result
    if then == "relu" and bias is not None and x.device.type == "cuda":
        return torch._addmm_activation(bias, x, weight.t())
    result = functional.linear(x, weight, bias)
    return result.relu_() if then == "relu" else result


def _through(weight: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
    """Gradient before a ReLU whose values went into a layer, from the gradient behind that layer."""
    # For a single output this is an outer product, which no matrix product has to be called for.
    behind = gradient * weight if len(weight) == 1 else _product(gradient, weight.t(), None, "none")
    torch.ops.aten.threshold_backward.grad_input(behind, values, 0.0, grad_input=behind)
    return behind


def _transposed_product(left: Tensor, right: Tensor) -> Tensor:
    # The first factor has to be copied into another order: let it be the narrower one.
    if right.shape[1] < left.shape[1]:
        turned = _product(right.t(), left.t(), None, "none").t()
        # Fused optimizers want a gradient's strides to be the weight's, also along a single row or column.
        return turned.clone(memory_format=torch.contiguous_format)
    return _product(left.t(), right.t(), None, "none")

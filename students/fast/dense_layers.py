"""Hand-written forward and backward passes of stacks of linear layers with ReLU between them.

SAC needs only these two passes, and needs them in parts: the gradients of the critics' weights for one loss,
those of their inputs for another. If torch's build has oneDNN, it fuses bias and ReLU into the matrix product
on a CPU, in true float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_SAME = 1e-5
"""Relative difference that is explained by rounding."""

Layer = tuple[Tensor, Tensor]
"""Weight, shape (outputs, inputs), and bias, shape (outputs,)."""


def _onednn_product() -> Any:
    """The fused product of oneDNN if this build of torch has one that computes correctly, else None."""
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
"""oneDNN's product with bias and ReLU in one call; None if torch's own operations are used instead."""


def linear(x: Tensor, layer: Layer) -> Tensor:
    """Outputs of a linear layer, shape (n, outputs), for inputs of shape (n, inputs)."""
    return _product(x, *layer, "none")


def linear_relu(x: Tensor, layer: Layer) -> Tensor:
    """Outputs of a linear layer with ReLU, shape (n, outputs), for inputs of shape (n, inputs)."""
    return _product(x, *layer, "relu")


def forward(layers: Sequence[Layer], x: Tensor) -> list[Tensor]:
    """The inputs of each layer, followed by the output of the last, which has no ReLU.

    Args:
        layers: Layers, from the input on.
        x: Inputs, shape (n, inputs).
    """
    values = [x]
    for layer in layers[:-1]:
        values.append(linear_relu(values[-1], layer))
    values.append(linear(values[-1], layers[-1]))
    return values


def gradients_behind(layers: Sequence[Layer], values: Sequence[Tensor], gradient: Tensor) -> list[Tensor]:
    """Gradients with respect to the outputs of each layer, before its ReLU.

    Args:
        layers: Layers, from the input on.
        values: Result of `forward`.
        gradient: Gradient with respect to the output, shape (n, outputs).
    """
    gradients = [gradient]
    for depth in reversed(range(1, len(layers))):
        gradients.append(_through(layers[depth][0], gradients[-1], values[depth]))
    return gradients[::-1]


def weight_gradient(gradient: Tensor, value: Tensor) -> Layer:
    """Gradients of a layer's weight and bias.

    Args:
        gradient: Gradient with respect to its output, shape (n, outputs).
        value: Its input, shape (n, inputs).
    """
    if gradient.device.type == "cpu":
        return _transposed_product(gradient, value), gradient.sum(dim=0)
    # On a GPU, summing long columns takes 13 µs, a product with ones 4.
    return _transposed_product(gradient, value), torch.mv(gradient.t(), gradient.new_ones(len(gradient)))


def input_gradient(
    layers: Sequence[Layer], values: Sequence[Tensor], gradient: Tensor, inputs: slice = slice(None)
) -> Tensor:
    """Gradient of some of the inputs, shape (n, selected inputs).

    Args:
        layers: Layers, from the input on.
        values: Result of `forward`.
        gradient: Gradient with respect to the output, shape (n, outputs).
        inputs: The inputs to select.
    """
    for depth in reversed(range(1, len(layers))):
        gradient = _through(layers[depth][0], gradient, values[depth])
    return _product(gradient, layers[0][0][:, inputs].t(), None, "none")


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    if onednn is not None and x.device.type == "cpu" and x.dtype == torch.float32:
        # With gaps between rows or columns oneDNN uses a fallback that is a hundred times slower.
        if not (weight.is_contiguous() or weight.t().is_contiguous()):
            weight = weight.contiguous()
        result: Tensor = onednn(x, weight, bias, then, [], "")
        return result
    if then == "relu" and bias is not None and x.device.type == "cuda":
        return torch._addmm_activation(bias, x, weight.t())
    result = functional.linear(x, weight, bias)
    return result.relu_() if then == "relu" else result


def _through(weight: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
    """Gradient before the ReLU whose outputs are a layer's inputs, from the gradient behind that layer."""
    # For a single output this is an outer product, which needs no matrix product.
    behind = gradient * weight if len(weight) == 1 else _product(gradient, weight.t(), None, "none")
    torch.ops.aten.threshold_backward.grad_input(behind, values, 0.0, grad_input=behind)
    return behind


def _transposed_product(left: Tensor, right: Tensor) -> Tensor:
    # The first factor must be copied to another layout, so make it the narrower one.
    if right.shape[1] < left.shape[1]:
        turned = _product(right.t(), left.t(), None, "none").t()
        # Fused optimizers require a gradient to have the weight's strides, even for a single row or column.
        return turned.clone(memory_format=torch.contiguous_format)
    return _product(left.t(), right.t(), None, "none")

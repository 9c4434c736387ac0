"""Adam's step on a GPU, in pieces small enough to keep the whole GPU busy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_PIECE = 4096
"""Elements per piece."""


class PiecewiseAdam:
    """Makes the steps of a `torch.optim.Adam` that is `fused`.

    torch's fused kernel gives each thread block 65,536 elements: networks of 400-300 then keep a dozen of
    an H100's 132 multiprocessors busy, for 36 µs. Pieces of 4,096 give the same result in a few µs. On a CPU
    the optimizer makes its step itself.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer

    def step(self) -> None:
        """Make one optimizer step."""
        for group in self._optimizer.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            states = [self._optimizer.state[p] for p in parameters]
            if not all(states) or not parameters or parameters[0].device.type == "cpu":
                # The first step creates the optimizer's state.
                self._optimizer.step()
                return
        for group in self._optimizer.param_groups:
            self._step_group(group)

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        states = [self._optimizer.state[p] for p in parameters]
        torch._foreach_add_([state["step"] for state in states], 1)
        most = [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else []
        counts = [-(-p.numel() // _PIECE) for p in parameters]
        torch._fused_adam_(
            _pieces(parameters),
            _pieces(p.grad for p in parameters),
            _pieces(state["exp_avg"] for state in states),
            _pieces(state["exp_avg_sq"] for state in states),
            _pieces(most),
            [state["step"] for state, count in zip(states, counts, strict=True) for _ in range(count)],
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )


def lerp_in_pieces(following: list[Tensor], moving: list[Tensor], share: float) -> None:
    """Move tensors a share of the way towards others; on a GPU in pieces as above."""
    if following[0].device.type != "cpu":
        following, moving = _pieces(following), _pieces(moving)
    torch._foreach_lerp_(following, moving, share)


def _pieces(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [piece for tensor in tensors for piece in torch.split(tensor.detach().view(-1), _PIECE)]

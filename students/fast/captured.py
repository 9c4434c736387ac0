"""A function over static tensors, captured once as a CUDA graph and replayed."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch

_WARM_UPS = 3
"""Calls in which libraries and optimizers allocate their persistent memory; they count as regular calls."""


class Captured:
    """Calls a function without arguments; on a GPU by replaying a captured call.

    The function must do the same work on the same tensors each time, and never wait for the device. The first
    calls run it directly, on the stream that is captured later, so that each call does its work exactly once.

    Args:
        function: The function to call.
        device: Device of the work; nothing is captured unless it is a GPU.
    """

    def __init__(self, function: Callable[[], None], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._warm_ups_left = _WARM_UPS
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own

    def __call__(self) -> None:
        if self._stream is None:
            self._function()
        elif self._graph is not None:
            self._graph.replay()
        elif self._warm_ups_left > 0:
            self._warm_ups_left -= 1
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream), warnings.catch_warnings():
                # Optimizers warn that they might not be captured.
                warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
                self._function()
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        else:
            # Capturing only records the work.
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._function()
            self._graph.replay()

"""Marks of tests that need an NVIDIA GPU."""

from __future__ import annotations

import importlib.util

import pytest
import torch

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
needs_gpu_engine = pytest.mark.skipif(
    not torch.cuda.is_available() or importlib.util.find_spec("numba_cuda") is None,
    reason="needs an NVIDIA GPU, torch for it, and numba-cuda",
)
DEVICES = ("cpu", pytest.param("cuda", marks=needs_gpu))

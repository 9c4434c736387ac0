"""The GPU code of the kernels; needs NVIDIA's compiler (the extra `cuda`) but no GPU."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from chiron.envs.walkers.engine import layout
from numba import from_dtype, types

pytest.importorskip("numba_cuda", reason="needs the extra `cuda`")

from chiron.envs.walkers.engine.gpu_kernels import _uncontracted, load_kernels
from numba import cuda
from numba.cuda import dispatcher

HOPPER = (9, 0)

ENVS, BODY, OBSTACLES, SEGMENTS = (
    from_dtype(dtype) for dtype in (layout.WORLD, layout.BODY, layout.OBSTACLE, layout.SEGMENT)
)
STATE = (ENVS[::1], BODY[::1], OBSTACLES[:, ::1], SEGMENTS[:, ::1])
FLAGS, ERRORS, NUMBERS = types.boolean[::1], types.int32[::1], types.float64[::1]
SLOTS, ROWS = types.int64[::1], types.float32[:, ::1]
CHOSEN = (SLOTS, types.boolean, FLAGS, FLAGS)
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "start": (*STATE, SLOTS, ROWS, SLOTS, ROWS, SLOTS, SLOTS, SLOTS, types.float32[::1], ERRORS),
    "collide": (*STATE, *CHOSEN, ROWS),
    "solve": (*STATE[:2], *CHOSEN),
    "finish": (*STATE, *CHOSEN),
    "tell": (*STATE, *CHOSEN, ROWS, NUMBERS, NUMBERS, ERRORS),
}


@pytest.mark.parametrize("phase", list(ARGUMENTS))
def test_every_operation_rounds_as_on_the_cpu(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=HOPPER))
    kernel = getattr(load_kernels(), phase)
    # Link-time optimisation would change the code after this check.
    assert kernel.targetoptions["lto"] is False
    with _uncontracted():
        code, _ = cuda.compile_ptx(kernel.py_func, ARGUMENTS[phase], cc=HOPPER)
    operations = set(
        re.findall(r"\b(?:fma|mad|add|sub|mul|div|sqrt|rcp|rsqrt)\.[a-z0-9.]*f(?:32|64)\b", code)
    )
    exact = {f"{name}.rn.{kind}" for name in ("add", "sub", "mul", "div", "sqrt") for kind in ("f32", "f64")}
    # The sine uses fused multiply-adds, as the C library does.
    assert operations <= exact | {"rcp.rn.f32", "fma.rn.f64"}
    assert ("fma.rn.f64" in operations) == (phase in ("start", "solve", "finish"))
    assert "mul.rn.f32" in operations or phase == "collide" or phase == "tell"

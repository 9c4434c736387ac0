"""Plays scenarios in Numba's CUDA simulator: `python -m tests.envs.simulated_gpu states results`.

Compilation must be off (`NUMBA_DISABLE_JIT`) and the simulator on (`NUMBA_ENABLE_CUDASIM`): then the
engine's functions are Python, run by one Python thread for each of the kernels' threads. This module replaces
what plain Python lacks: Numba's intrinsics, and access to a record's fields as attributes.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import config, cuda
from numba.cuda.simulator import kernel as simulator
from numba.cuda.simulator import kernelapi
from numba.np.numpy_support import as_dtype

assert config.ENABLE_CUDASIM
assert config.DISABLE_JIT

GARBAGE = 0xAB
"""Initial value of each byte of local memory."""


class _Record:
    """A record whose fields are attributes, as in compiled code."""

    def __init__(self, record: np.void) -> None:
        self.__dict__["_record"] = record

    def __getattr__(self, name: str) -> Any:
        value = self._record[name]
        if isinstance(value, (np.ndarray, np.void)):
            value = self.__dict__[name] = _wrapped(value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self._record[name] = value


class _Records:
    """An array of records."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array
        self._elements: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self._array):
            raise IndexError(f"{index} of {len(self._array)}")
        if index not in self._elements:
            self._elements[index] = _wrapped(self._array[index])
        return self._elements[index]


def _wrapped(value: Any) -> Any:
    if isinstance(value, np.void):
        return _Record(value)
    return _Records(value) if value.dtype.names else value


class _LocalMemory:
    """`cuda.local` whose arrays are filled with garbage."""

    def array(self, shape: int, dtype: Any) -> Any:
        kind = as_dtype(dtype)
        return _wrapped(np.full(shape * kind.itemsize, GARBAGE, np.uint8).view(kind))


def _load(rows: Any, row: int) -> Any:
    return rows[row, 0]


def _store(rows: Any, row: int, value: Any) -> None:
    rows[row, 0] = value


def _select(condition: Any, yes: Any, no: Any) -> Any:
    return yes if condition else no


_libm = ctypes.CDLL("libm.so.6")
_libm.sinf.restype = _libm.cosf.restype = ctypes.c_float
_libm.sinf.argtypes = _libm.cosf.argtypes = [ctypes.c_float]


def _rotation(angle: Any) -> tuple[Any, Any]:
    return np.float32(_libm.sinf(angle)), np.float32(_libm.cosf(angle))


def _set_body_part(body: Any, b: int, *arguments: Any) -> Any:
    from chiron.envs.walkers.engine.shapes import set_part

    return set_part(_wrapped(body)[0].parts[b], *arguments)


def _set_up() -> Any:
    """Let the simulator run the engine; returns the class of the vector env."""
    simulator.FakeWithinKernelCUDAArray = lambda array: _wrapped(array._ary)
    kernelapi.FakeCUDALocal = _LocalMemory
    jit = cuda.jit
    cuda.jit = lambda function, cache, lto: jit(function, cache=cache)

    from chiron.envs.walkers.engine import lanes

    of_one_lane = {"load": _load, "store": _store, "select": _select, "any_lane": bool}
    vars(lanes).update(of_one_lane, sqrt=np.sqrt, rotation=_rotation)

    from chiron.envs.walkers.engine import body, gpu_vector_env

    vars(body).update(set_body_part=_set_body_part)
    vars(gpu_vector_env).update(require_gpu=lambda: None, torch=_HostTorch)
    return gpu_vector_env.GpuWalkerVectorEnv


class _HostTorch:
    """The part of torch that views device arrays, which are in host memory here."""

    Tensor = torch.Tensor

    @staticmethod
    def as_tensor(array: Any, device: str) -> torch.Tensor:
        assert device == "cuda"
        return torch.from_numpy(array._ary)


def main() -> None:
    walkers = _set_up()
    from tests.envs.gpu_cases import SCENARIOS

    warnings.simplefilter("ignore", RuntimeWarning)  # divisions by zero are intended
    states_file, results_file, *names = sys.argv[1:]
    states = pickle.loads(Path(states_file).read_bytes())
    results = {name: SCENARIOS[name](walkers, states) for name in names or SCENARIOS}
    Path(results_file).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()

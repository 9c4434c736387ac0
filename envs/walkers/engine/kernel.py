"""How the engine's functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from ...numba_cache import compiled_and_cached

Function = TypeVar("Function", bound=Callable[..., Any])

Record = Any
"""A record of one of the dtypes in `layout`, passed to compiled code as a pointer."""

Number = Any
"""A float32; no static type, since the code is typed when it is compiled."""

Lane = Any
"""A float32, or the float32 numbers of `LANES` worlds side by side."""

Flag = Any
"""The result of comparing lanes: a bool, or one bool per world."""


def kernel(function: Function) -> Function:
    """Compile a function that is called by other compiled functions.

    Reference counting is disabled (nothing here allocates), and so are checks for division by zero, which
    follows IEEE 754 as in Box2D.
    """
    compiled = numba.njit(_nrt=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )
    return cast(Function, compiled)


def entry_point(function: Function) -> Function:
    """Compile a function that is called by Python, and store the result in Numba's cache.

    Other Python threads may run while it runs. Numba only notices changes of a function's own file and of its
    closure, so a function must hold a fingerprint of the package's sources in its closure.
    """
    return compiled_and_cached(function, nogil=True, error_model="numpy")

"""Minimises smooth functions under constraints, in bounded time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
Valued = Callable[[Floats], tuple[float, Floats]]
"""A function of an array of shape (m,) that returns its value and its gradient, of shape (m,)."""


def constrained_minimum(
    objective: Valued,
    start: Floats,
    margins: Sequence[Valued],
    bounds: tuple[Floats, Floats],
    iterations: int,
) -> Floats:
    """The end point of sequential quadratic programming, which may be infeasible or worse than the start.

    Args:
        objective: What to minimise.
        start: Where to start, shape (m,).
        margins: Functions that must be at least 0.
        bounds: Lowest and highest values, shapes (m,).
        iterations: Maximum number of iterations.

    Returns:
        Shape (m,), within the bounds and finite.
    """

    def parts(function: Valued) -> dict[str, Any]:
        # SLSQP asks for value and gradient separately, at the same point.
        known: list[Any] = [None, None]

        def at(x: Floats) -> tuple[float, Floats]:
            if not np.array_equal(known[0], x):
                known[:] = x.copy(), function(x)
            return cast(tuple[float, Floats], known[1])

        return {"fun": lambda x: at(x)[0], "jac": lambda x: at(x)[1]}

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # SLSQP warns when it clips a step that exceeds a bound by rounding.
        warnings.simplefilter("ignore", RuntimeWarning)
        own = parts(objective)
        solve: Any = minimize  # its stubs do not accept constraints as dicts of untyped functions
        found = solve(
            own["fun"],
            start.clip(*bounds),
            jac=own["jac"],
            method="SLSQP",
            bounds=list(zip(*bounds, strict=True)),
            constraints=[{"type": "ineq", **parts(margin)} for margin in margins],
            options={"maxiter": iterations, "ftol": 1e-8},
        )
    end: Floats = found.x.clip(*bounds)
    return end if np.isfinite(end).all() else start

"""Rigid transforms (b2Transform), as tuples: origin x, y, sine and cosine of the rotation."""

from __future__ import annotations

from .kernel import Lane, Record, kernel
from .lanes import rotation
from .settings import ONE, ZERO

Transform = tuple[Lane, Lane, Lane, Lane]

IDENTITY = (ZERO, ZERO, ZERO, ONE)
"""The transform of the track."""


@kernel
def transform_point(xf: Transform, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Transform a point from the frame to the world."""
    return (xf[3] * x - xf[2] * y) + xf[0], (xf[2] * x + xf[3] * y) + xf[1]


@kernel
def untransform_point(xf: Transform, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Transform a point from the world to the frame."""
    x, y = x - xf[0], y - xf[1]
    return xf[3] * x + xf[2] * y, -xf[2] * x + xf[3] * y


@kernel
def rotate(xf: Transform, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Rotate a direction from the frame to the world."""
    return xf[3] * x - xf[2] * y, xf[2] * x + xf[3] * y


@kernel
def unrotate(xf: Transform, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Rotate a direction from the world to the frame."""
    return xf[3] * x + xf[2] * y, -xf[2] * x + xf[3] * y


@kernel
def transform_at(c_x: Lane, c_y: Lane, a: Lane, center_x: Lane, center_y: Lane) -> Transform:
    """Transform of a part whose centre of mass, `center` in its own frame, is at `c`, at angle `a`."""
    s, c = rotation(a)
    return c_x - (c * center_x - s * center_y), c_y - (s * center_x + c * center_y), s, c


@kernel
def transform_of(state: Record) -> Transform:
    """Transform of a part."""
    return state.p_x, state.p_y, state.q_s, state.q_c


@kernel
def synchronize_transform(state: Record, part: Record) -> None:
    """Update a part's transform from its centre of mass and angle."""
    state.p_x, state.p_y, state.q_s, state.q_c = transform_at(
        state.c_x, state.c_y, state.a, part.center_x, part.center_y
    )

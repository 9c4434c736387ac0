"""Checks that numbers are finite, since NaN and infinity spread to everything computed from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


class NotFiniteError(ValueError):
    """A task, an action, an observation, a reward, a return or a weight is NaN or infinite."""


def require_finite(what: str, values: Any, episode_of: Callable[[int], str]) -> None:
    """Check that all numbers of a batch are finite.

    Args:
        what: What the numbers are, for the message.
        values: One row per slot, or a dict of such batches.
        episode_of: Describes the episode of a slot, for the message.

    Raises:
        NotFiniteError: If a number is not finite, with its value, slot and episode.
    """
    for part in values.values() if isinstance(values, dict) else (values,):
        if part.dtype.kind in "biu":  # e.g. images, whose squares would take a third of a millisecond
            continue
        # The sum of squares needs a single pass; it may overflow, so a second test decides.
        if math.isfinite(np.vdot(part, part)) or np.isfinite(part).all():
            continue
        slot = int(np.flatnonzero(~np.isfinite(part).reshape(len(part), -1).all(axis=1))[0])
        raise NotFiniteError(
            f"{what} {np.asarray(part)[slot].tolist()} of slot {slot} is not finite, {episode_of(slot)}"
        )

"""The observation and action spaces that students support."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

_ARRAYS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)

_REMEDY = "a wrapper can change that, such as wrappers: [gymnasium.wrappers.FlattenObservation] in its YAML"


def require_trainable(observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
    """Check that algorithms of Stable-Baselines3 can learn in these spaces.

    Args:
        observations: One env's observation space.
        actions: One env's action space.

    Raises:
        ValueError: If one of them, or a part of a Dict, is not an array of numbers, or does not count from 0.
    """
    for name, space in (*_parts("observation space", observations), ("action space", actions)):
        if not isinstance(space, _ARRAYS):
            raise ValueError(
                f"{name} {space}: students take Box, Discrete, MultiDiscrete and MultiBinary, and observe "
                f"flat Dicts of them; {_REMEDY}"
            )
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)) and np.any(space.start):
            raise ValueError(f"{name} {space}: students count from 0; {_REMEDY}")
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim > 1:
            raise ValueError(f"{name} {space}: students take MultiDiscrete of one dimension; {_REMEDY}")


def _parts(name: str, space: spaces.Space[Any]) -> Iterator[tuple[str, spaces.Space[Any]]]:
    if isinstance(space, spaces.Dict):
        yield from ((f"{name}, {key!r}:", part) for key, part in space.spaces.items())
    else:
        yield name, space

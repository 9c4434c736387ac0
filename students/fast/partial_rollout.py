"""Part of a rollout, for an update that learns from this part only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer


class PartialRollout:
    """Some transitions of a rollout buffer, with the buffer interface that PPO's update uses.

    Args:
        whole: The full buffer.
        rows: Indices of the transitions in its flattened arrays.
    """

    def __init__(self, whole: RolloutBuffer, rows: NDArray[np.intp]) -> None:
        self._whole = whole
        self._rows = rows
        self.values, self.returns = whole.values, whole.returns

    def get(self, batch_size: int | None = None) -> Iterator[Any]:
        """Minibatches of the transitions in random order; the last one may be smaller."""
        next(iter(self._whole.get(1)))  # flattens its arrays
        order = np.random.permutation(self._rows)  # noqa: NPY002 (as Stable-Baselines3's buffers do)
        size = len(order) if batch_size is None else batch_size
        for start in range(0, len(order), size):
            yield self._whole._get_samples(order[start : start + size])

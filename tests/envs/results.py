"""Comparison of the results of vector envs."""

from __future__ import annotations

from typing import Any

import numpy as np
from chiron.envs.vector.infos import infos_by_slot


def assert_same(first: Any, second: Any) -> None:
    """Compare what `step` or `reset` returned, infos slot by slot."""
    for left, right in zip(first, second, strict=True):
        if isinstance(left, dict):
            slots = max((len(given) for given in left.values()), default=0)
            for mine, theirs in zip(infos_by_slot(left, slots), infos_by_slot(right, slots), strict=True):
                assert mine.keys() == theirs.keys()
                for key in mine:
                    np.testing.assert_array_equal(mine[key], theirs[key], key)
        else:
            np.testing.assert_array_equal(left, right)

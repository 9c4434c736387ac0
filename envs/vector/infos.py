"""Infos of several envs in the format of Gymnasium's vector envs, with values that are left as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class InfosAsTheyAre:
    """Makes a `VectorEnv` gather what its envs put into their infos without changing it.

    Gymnasium's own `_add_info` makes arrays of numbers out of them, which fails where values have different
    shapes. Here `infos[key]` is an array of objects of shape (n,), whatever an env gave in its slot, and
    `infos["_" + key]` says in which slots it did.
    """

    num_envs: int

    def _add_info(
        self, vector_infos: dict[str, Any], env_info: Mapping[str, Any], env_num: int
    ) -> dict[str, Any]:
        for key, value in env_info.items():
            values = vector_infos.setdefault(key, np.full(self.num_envs, None, dtype=object))
            given = vector_infos.setdefault(f"_{key}", np.zeros(self.num_envs, dtype=np.bool_))
            values[env_num], given[env_num] = value, True
        return vector_infos


def infos_by_slot(infos: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    """Split the infos of a vector env into one dict for each of its n slots."""
    by_slot: list[dict[str, Any]] = [{} for _ in range(n)]
    for key, given in infos.items():
        if key.startswith("_") and key[1:] in infos:
            for slot in given.nonzero()[0].tolist():
                by_slot[slot][key[1:]] = infos[key[1:]][slot]
    return by_slot

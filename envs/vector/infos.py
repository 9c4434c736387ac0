"""Infos of several envs in the format of Gymnasium's vector envs, with unchanged values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class InfosAsTheyAre:
    """Makes a `VectorEnv` gather the infos of its envs without changing their values.

    Gymnasium's own `_add_info` turns them into arrays of numbers, which fails if values have different
    shapes. Here `infos[key]` is an array of objects of shape (n,) with each env's value in its slot, and
    `infos["_" + key]` says which slots have one.
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
            values = infos[key[1:]]
            if isinstance(values, dict):
                values = infos_by_slot(values, n)
            for slot in given.nonzero()[0].tolist():
                by_slot[slot][key[1:]] = values[slot]
    return by_slot


def split_infos(infos: Mapping[str, Any], slots: NDArray[np.bool_]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the infos of a vector env into those of some slots, given as bool of shape (n,), and of others.

    Infos about all slots together are in both.
    """
    inside: dict[str, Any] = {}
    outside: dict[str, Any] = {}
    for key, value in infos.items():
        given = infos.get(f"_{key}")
        if given is None:
            if not (key.startswith("_") and key[1:] in infos):
                inside[key] = outside[key] = value
            continue
        within = given & slots
        parts = split_infos(value, slots) if isinstance(value, dict) else (value, value)
        for kept, mask, part in zip((inside, outside), (within, given ^ within), parts, strict=True):
            if np.count_nonzero(mask):
                kept[key], kept[f"_{key}"] = part, mask
    return inside, outside


def merged_infos(infos: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the infos of a vector env with those of other slots."""
    merged = dict(infos)
    for key, value in others.items():
        given = others.get(f"_{key}")
        if key not in infos or given is None:
            merged.setdefault(key, value)
            continue
        merged[f"_{key}"] = infos[f"_{key}"] | given
        if isinstance(value, dict):
            merged[key] = merged_infos(infos[key], value)
            continue
        mine, theirs = infos[key], value
        if (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
            mine, theirs = _as_objects(mine), _as_objects(theirs)
        merged[key] = np.where(given.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
    return merged


def _as_objects(values: NDArray[Any]) -> NDArray[Any]:
    objects = np.full(len(values), None, dtype=object)
    for slot, value in enumerate(values):
        objects[slot] = value
    return objects

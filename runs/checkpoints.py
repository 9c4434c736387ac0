"""The checkpoints of a run: its last states, whole and checked, and cheap to write often."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.state_tree import map_leaves
from .state_file import load_state, save_state
from .whole_files import replacing

_VERSION = 1
_KEPT = 2
_CHUNK_BYTES = 1 << 22
_CHUNKS = "chunks of an array"
"""The key of a dict that stands for a large array."""


class CheckpointError(ValueError):
    """No checkpoint of a run can be used."""


class Checkpoints:
    """The last two states of a run, in a folder.

    A checkpoint is one file of `state_file`, written beside and renamed. Large arrays lie apart, cut
    in chunks of 4 MiB that are named by their SHA-256: a chunk that has not changed since the last checkpoint
    is there already and is not written again. Nothing in it is code, and nothing is believed unchecked:
    files carry checksums, chunks are their names.

    Args:
        folder: Where they lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks = folder / "chunks"

    def newest_step(self) -> int | None:
        """Steps that the run had made at its newest checkpoint, read or unread; None if there is none."""
        steps = self._steps()
        return steps[-1] if steps else None

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Keep a state and drop all but the last two.

        Args:
            step: Steps the run has made.
            state: As `chiron.runs.state_file.save_state` takes it.

        Raises:
            OSError: If it cannot be written, on a full disk for one; the checkpoints before it stay.
        """
        self._chunks.mkdir(parents=True, exist_ok=True)
        apart = map_leaves(state, self._put_apart)
        _sync(self._chunks)
        save_state(self._file(step), {"version": _VERSION, "step": step, "state": apart})
        _sync(self._folder)
        for old in self._steps()[:-_KEPT]:
            self._file(old).unlink()
        self._drop_unused_chunks()

    def load(self) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
        """Read the checkpoints, newest first.

        Yields:
            Step, state and an empty string; where one cannot be used, None for the state and a sentence.
        """
        for step in reversed(self._steps()):
            try:
                stored = load_state(self._file(step), self._bring_back)
                if stored.get("version") != _VERSION:
                    raise ValueError(
                        f"{self._file(step)} is a checkpoint of version {stored.get('version')}, this is "
                        f"version {_VERSION}"
                    )
                yield step, stored["state"], ""
            except (OSError, ValueError, KeyError) as error:
                yield step, None, str(error)

    def newest(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest state that can be used, and what was wrong with those passed over.

        Returns:
            The state, None if there is no checkpoint at all.

        Raises:
            CheckpointError: If there are checkpoints, and none of them can be used.
        """
        faults: list[str] = []
        for _, state, fault in self.load():
            if state is not None:
                return state, faults
            faults.append(fault)
        if faults:
            raise CheckpointError(
                f"none of the checkpoints in {self._folder} can be used ({'; '.join(faults)}): remove that "
                "folder to start from the beginning, which gives the same results"
            )
        return None, faults

    def _steps(self) -> list[int]:
        names = (re.fullmatch(r"step-(\d+)\.npz", path.name) for path in self._folder.glob("step-*.npz"))
        return sorted(int(name[1]) for name in names if name)

    def _file(self, step: int) -> Path:
        return self._folder / f"step-{step:012d}.npz"

    def _put_apart(self, value: Any, _: str) -> Any:
        if not isinstance(value, np.ndarray) or value.nbytes < _CHUNK_BYTES:
            return value
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        pieces = (flat[start : start + _CHUNK_BYTES] for start in range(0, flat.size, _CHUNK_BYTES))
        chunks = [self._put_chunk(piece) for piece in pieces]
        # An empty array of its kind says its dtype, structured ones included.
        return {_CHUNKS: chunks, "kind": value.reshape(-1)[:0], "shape": list(value.shape)}

    def _put_chunk(self, piece: NDArray[np.uint8]) -> str:
        name = hashlib.sha256(piece.data).hexdigest()
        path = self._chunks / name
        if not path.exists():
            with replacing(path) as beside, beside.open("wb") as file:
                file.write(piece.data)
                file.flush()
                os.fsync(file.fileno())
        return name

    def _bring_back(self, value: dict[str, Any]) -> Any:
        if _CHUNKS not in value:
            return value
        array = np.empty(value["shape"], value["kind"].dtype)
        flat = array.reshape(-1).view(np.uint8)
        start = 0
        for name in value[_CHUNKS]:
            piece = np.fromfile(self._chunks / name, np.uint8)
            if hashlib.sha256(piece.data).hexdigest() != name:
                raise OSError(f"{self._chunks / name} is damaged")
            flat[start : start + piece.size] = piece
            start += piece.size
        return array

    def _drop_unused_chunks(self) -> None:
        used: set[str] = set()

        def note(node: dict[str, Any]) -> dict[str, Any]:
            used.update(node.get(_CHUNKS, ()))
            return node

        for step in self._steps():
            with contextlib.suppress(ValueError):
                load_state(self._file(step), note)
        for path in self._chunks.iterdir():
            if path.name not in used:
                path.unlink()


def _sync(folder: Path) -> None:
    """Make renames in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

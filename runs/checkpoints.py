"""The checkpoints of a run: its last states, whole and checked, and cheap to write often."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.state_tree import map_leaves
from .checked_files import DamagedFileError, require_inside
from .state_file import load_state, save_state
from .whole_files import FileRecord, flush, open_regular, replacing

_VERSION = 2
_KEPT = 2
_CHUNK_BYTES = 1 << 22
_MOST_CHUNKS = 48
"""Full chunks of one checkpoint: those of more bytes are larger, so that a run has few files."""
_CHUNKS = "chunks of an array"
"""The key of a dict that stands for a large array."""


class CheckpointError(ValueError):
    """No checkpoint of a run can be used."""


@dataclass(frozen=True)
class Checkpoint:
    """A state of a run.

    Attributes:
        step: Steps that the run had made.
        state: As `chiron.runs.state_file.save_state` takes it.
        files: What the files were like that the state counts on. They may have grown since.
    """

    step: int
    state: Mapping[str, Any]
    files: Mapping[Path, FileRecord] = field(default_factory=dict)


class Checkpoints:
    """The last two states of a run, in a folder of the run's directory.

    A checkpoint is one file of `state_file`, written beside and renamed. Large arrays lie apart, cut in
    chunks of at least 4 MiB that are named by their SHA-256: a chunk that has not changed since the last
    checkpoint is there already and is not written again. Nothing in it is code, and nothing is believed
    unchecked: files carry checksums, chunks are their names, and the files that a state counts on are
    compared with what they were.

    Args:
        folder: Where they lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks = folder / "chunks"
        self._whole_chunks: set[str] = set()
        """Written or read by this object."""

    def steps(self) -> list[int]:
        """Steps that the run had made at each checkpoint, read or unread, oldest first."""
        names = (re.fullmatch(r"step-(\d+)\.npz", path.name) for path in self._folder.glob("step-*.npz"))
        return sorted(int(name[1]) for name in names if name)

    def newest_step(self) -> int | None:
        """Steps that the run had made at its newest checkpoint, read or unread; None if there is none."""
        return max(self.steps(), default=None)

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep a state, and drop all but the last two.

        Whatever is on the disk is so before what counts on it: first the files that the state counts on, then
        its chunks, then the state.

        Args:
            checkpoint: The state. Its files lie in the run's directory.

        Raises:
            OSError: If it cannot be written, on a full disk for one; the checkpoints before it stay.
        """
        for path in sorted(checkpoint.files) + sorted({path.parent for path in checkpoint.files}):
            flush(path)
        self._chunks.mkdir(parents=True, exist_ok=True)
        flush(self._folder.parent)
        size = chunk_size(checkpoint.state)
        stored = {
            "version": _VERSION,
            "step": checkpoint.step,
            "files": {
                path.relative_to(self._folder.parent).as_posix(): [record.length, record.sha256]
                for path, record in checkpoint.files.items()
            },
            "state": map_leaves(checkpoint.state, lambda value, _: self._put_apart(value, size)),
        }
        save_state(self._file(checkpoint.step), stored)
        # Those of later steps could not be used, and the run has resumed from an older one.
        kept = [step for step in self.steps() if step <= checkpoint.step][-_KEPT:]
        for step in set(self.steps()) - set(kept):
            self._file(step).unlink()
        self._drop_unused_chunks()

    def keep_newest(self) -> None:
        """Drop all but the newest."""
        for old in self.steps()[:-1]:
            self._file(old).unlink()
        if self._chunks.exists():
            self._drop_unused_chunks()

    def read(self, step: int) -> Checkpoint:
        """Read a checkpoint, and make sure that the files it counts on are there.

        Args:
            step: One of `steps()`.

        Raises:
            DamagedFileError: If it cannot be used: the file, and what is wrong with it.
        """
        file, home = self._file(step), self._folder.parent
        require_inside(self._chunks, home)
        stored = load_state(file, self._bring_back)
        if stored.get("version") != _VERSION:
            raise DamagedFileError(
                f"{file} is a checkpoint of version {stored.get('version')}, this is version {_VERSION}"
            )
        if stored["step"] != step:
            raise DamagedFileError(f"{file} is a checkpoint at {stored['step']:,} steps")
        files = {self._counted_on(name): FileRecord(*record) for name, record in stored["files"].items()}
        for path, record in files.items():
            require_inside(path, home)
            record.check(path)
        return Checkpoint(step, stored["state"], files)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint that can be used, and what was wrong with those passed over.

        Returns:
            None if there is no checkpoint at all.

        Raises:
            CheckpointError: If there are checkpoints, and none of them can be used.
        """
        faults: list[str] = []
        for step in reversed(self.steps()):
            try:
                return self.read(step), faults
            except (DamagedFileError, OSError) as error:
                faults.append(str(error))
        if faults:
            raise CheckpointError(
                f"none of the checkpoints in {self._folder} can be used ({'; '.join(faults)}): remove that "
                "folder to start from the beginning, which gives the same results"
            )
        return None, faults

    def _file(self, step: int) -> Path:
        return self._folder / f"step-{step:012d}.npz"

    def _counted_on(self, name: str) -> Path:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DamagedFileError(
                f"{self._folder} holds a checkpoint that counts on {name}, which is no file of the run"
            )
        return self._folder.parent / path

    def _put_apart(self, value: Any, size: int) -> Any:
        if not _is_large(value):
            return value
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        chunks = [self._put_chunk(flat[start : start + size]) for start in range(0, flat.size, size)]
        # An empty array of its kind says its dtype, structured ones included.
        return {_CHUNKS: chunks, "kind": value.reshape(-1)[:0], "shape": list(value.shape)}

    def _put_chunk(self, piece: NDArray[np.uint8]) -> str:
        name = hashlib.sha256(piece.data).hexdigest()
        # One that was there before this process may be damaged.
        if name not in self._whole_chunks:
            with replacing(self._chunks / name) as beside:
                beside.write_bytes(piece.data)
            self._whole_chunks.add(name)
        return name

    def _bring_back(self, value: dict[str, Any]) -> Any:
        if _CHUNKS not in value:
            return value
        array = np.empty(value["shape"], value["kind"].dtype)
        flat = array.reshape(-1).view(np.uint8)
        start = 0
        for name in value[_CHUNKS]:
            with open_regular(self._chunks / name) as file:
                piece = np.fromfile(file, np.uint8)
            if hashlib.sha256(piece.data).hexdigest() != name:
                raise DamagedFileError(f"{self._chunks / name} is damaged")
            self._whole_chunks.add(name)
            flat[start : start + piece.size] = piece
            start += piece.size
        return array

    def _drop_unused_chunks(self) -> None:
        used: set[str] = set()

        def note(node: dict[str, Any]) -> dict[str, Any]:
            used.update(node.get(_CHUNKS, ()))
            return node

        for step in self.steps():
            with contextlib.suppress(DamagedFileError):
                load_state(self._file(step), note)
        for path in self._chunks.iterdir():
            if path.name not in used:
                path.unlink()
        self._whole_chunks &= used


def _is_large(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.nbytes >= _CHUNK_BYTES


def chunk_size(state: Mapping[str, Any]) -> int:
    """Bytes of a chunk: a multiple of 4 MiB, which changes only if the state grows by much.

    Args:
        state: What is cut into chunks.
    """
    sizes: list[int] = []
    map_leaves(state, lambda value, _: sizes.append(value.nbytes) if _is_large(value) else None)
    return _CHUNK_BYTES * max(1, math.ceil(sum(sizes) / (_CHUNK_BYTES * _MOST_CHUNKS)))

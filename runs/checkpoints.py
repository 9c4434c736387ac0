"""The checkpoints of a run: its latest states, checked for damage, and cheap to write often."""

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
"""Most full chunks per checkpoint: larger states have larger chunks, so that a run has few files."""
_CHUNKS = "chunks of an array"
"""The key of a dict that is a placeholder for a large array."""


class CheckpointError(ValueError):
    """No checkpoint of a run can be used."""


@dataclass(frozen=True)
class Checkpoint:
    """A state of a run.

    Attributes:
        step: Training steps completed.
        state: State in the format of `chiron.runs.state_file.save_state`.
        files: Records of the files that the state depends on. They may have grown since.
    """

    step: int
    state: Mapping[str, Any]
    files: Mapping[Path, FileRecord] = field(default_factory=dict)


class Checkpoints:
    """The last two states of a run, in a folder of the run's directory.

    A checkpoint is one file written by `state_file` under a temporary name and then renamed. Large arrays are
    stored separately, in chunks of at least 4 MiB named by their SHA-256: chunks that have not changed since
    the last checkpoint are not written again. Checkpoints contain no code, and everything is verified: files
    carry checksums, chunks are checked against their names, and the files that a state depends on are
    compared with their records.

    Args:
        folder: Folder of the checkpoints; created when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks = folder / "chunks"
        self._whole_chunks: set[str] = set()
        """Chunks written or read by this object."""

    def steps(self) -> list[int]:
        """Step of each checkpoint, usable or not, oldest first."""
        names = (re.fullmatch(r"step-(\d+)\.npz", path.name) for path in self._folder.glob("step-*.npz"))
        return sorted(int(name[1]) for name in names if name)

    def newest_step(self) -> int | None:
        """Step of the newest checkpoint, usable or not; None if there is none."""
        return max(self.steps(), default=None)

    def save(self, checkpoint: Checkpoint) -> None:
        """Save a state and remove all but the last two.

        Everything is flushed to disk before what depends on it: first the files that the state depends on,
        then its chunks, then the state.

        Args:
            checkpoint: The state. Its files are in the run directory.

        Raises:
            OSError: If it cannot be written, for example on a full disk; earlier checkpoints remain.
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
        # Checkpoints of later steps are those that could not be used when the run resumed from an older one.
        kept = [step for step in self.steps() if step <= checkpoint.step][-_KEPT:]
        for step in set(self.steps()) - set(kept):
            self._file(step).unlink()
        self._drop_unused_chunks()

    def keep_newest(self) -> None:
        """Remove all but the newest."""
        for old in self.steps()[:-1]:
            self._file(old).unlink()
        if self._chunks.exists():
            self._drop_unused_chunks()

    def read(self, step: int) -> Checkpoint:
        """Read a checkpoint and check the files that it depends on.

        Args:
            step: One of `steps()`.

        Raises:
            DamagedFileError: If it cannot be used; the message names the file and what is wrong with it.
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
        """The newest usable checkpoint, and what was wrong with newer ones.

        Returns:
            None as the checkpoint if there is none at all.

        Raises:
            CheckpointError: If there are checkpoints but none of them can be used.
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
                f"{self._folder} holds a checkpoint that refers to {name}, which is not a file of the run"
            )
        return self._folder.parent / path

    def _put_apart(self, value: Any, size: int) -> Any:
        if not _is_large(value):
            return value
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        chunks = [self._put_chunk(flat[start : start + size]) for start in range(0, flat.size, size)]
        # An empty array of the same kind stores the dtype, even a structured one.
        return {_CHUNKS: chunks, "kind": value.reshape(-1)[:0], "shape": list(value.shape)}

    def _put_chunk(self, piece: NDArray[np.uint8]) -> str:
        name = hashlib.sha256(piece.data).hexdigest()
        # A chunk from before this process may be damaged.
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
    """Bytes per chunk: a multiple of 4 MiB that changes only if the state grows a lot.

    Args:
        state: The state to be cut into chunks.
    """
    sizes: list[int] = []
    map_leaves(state, lambda value, _: sizes.append(value.nbytes) if _is_large(value) else None)
    return _CHUNK_BYTES * max(1, math.ceil(sum(sizes) / (_CHUNK_BYTES * _MOST_CHUNKS)))

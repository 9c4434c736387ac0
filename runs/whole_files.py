"""Files that survive killed processes, full disks and power cuts intact, with checksums to verify that."""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from .checked_files import DamagedFileError

_AT_ONCE = 1 << 20
"""Bytes read and hashed at once."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file atomically: to a temporary path, which is flushed to disk and then renamed.

    Yields:
        The temporary path to write to, with the same suffix; it does not exist yet.
    """
    beside = path.with_name(f".part-{path.name}")
    # A leftover of a killed process, or a link placed by somebody else.
    beside.unlink(missing_ok=True)
    try:
        yield beside
        flush(beside)
        beside.replace(path)
        flush(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush the content of a file, or the names in a folder, to disk, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading; links are rejected as they may lead anywhere, pipes as they never end.

    Raises:
        DamagedFileError: If there is no such file, or it is not a regular file.
        OSError: If it cannot be read.
    """
    try:
        # Without waiting for a writer if it is a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise DamagedFileError(f"{path} is missing") from None
    except OSError:
        if path.is_symlink():
            raise DamagedFileError(f"{path} is a link, not the run's own file") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedFileError(f"{path} is not a regular file")
        yield file


@dataclass(frozen=True)
class FileRecord:
    """Length and checksum of a file at some moment.

    Attributes:
        length: Its length in bytes.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    length: int
    sha256: str

    def check(self, path: Path) -> None:
        """Check that a file still begins with its content of that moment; it may have grown since.

        Raises:
            DamagedFileError: Naming the file, if it is missing, shorter, changed, or no regular file.
            OSError: If it cannot be read.
        """
        content, length = hashlib.sha256(), 0
        with open_regular(path) as file:
            for piece in _pieces(file, self.length):
                content.update(piece)
                length += len(piece)
        if length < self.length:
            raise DamagedFileError(f"{path} has {length:,} bytes, but had {self.length:,} at the checkpoint")
        if content.hexdigest() != self.sha256:
            raise DamagedFileError(f"{path} has been changed since the checkpoint")


class GrowingFile:
    """A file that is appended to, with a checksum that is updated incrementally, reading every byte once.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = hashlib.sha256()
        self._length = 0

    def record(self) -> FileRecord:
        """Length and checksum of the file now.

        Raises:
            DamagedFileError: If it is missing or has become shorter.
            OSError: If it cannot be read.
        """
        with open_regular(self.path) as file:
            if file.seek(0, os.SEEK_END) < self._length:
                raise DamagedFileError(
                    f"{self.path} was shortened by another process while the run wrote to it"
                )
            file.seek(self._length)
            for piece in _pieces(file):
                self._content.update(piece)
                self._length += len(piece)
        return FileRecord(self._length, self._content.hexdigest())


def _pieces(file: BinaryIO, most: float = math.inf) -> Iterator[bytes]:
    """The next bytes of a file in pieces, at most `most` bytes in total."""
    while piece := file.read(int(min(_AT_ONCE, most))):
        most -= len(piece)
        yield piece


class AppendFile(GrowingFile):
    """A text file that pieces are appended to, each completely or not at all.

    Args:
        path: The file; created if absent.
        kept: Record of the content to keep; everything after it is dropped. None keeps all.
    """

    def __init__(self, path: Path, kept: FileRecord | None = None) -> None:
        super().__init__(path)
        self.length = 0 if kept is None else kept.length
        with self._open() as file:
            file.truncate(self.length)

    def append(self, text: str) -> None:
        """Append a piece of text.

        Raises:
            OSError: If it cannot be written, for example on a full disk; the file is then left unchanged.
        """
        piece = text.encode()
        # Unbuffered: a single system call, which a killed process has either made or not.
        with self._open() as file:
            try:
                written = 0
                while written < len(piece):
                    written += file.write(piece[written:])
            except OSError:
                file.truncate(self.length)
                raise
        self.length += len(piece)

    def _open(self) -> FileIO:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)

        return open(self.path, "ab", buffering=0, opener=opener)

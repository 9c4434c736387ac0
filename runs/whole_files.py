"""Files that a killed process and a full disk leave whole: as they were before, or as they were to become."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place, and move it there in the end.

    Yields:
        The path to write to, with the same suffix.
    """
    beside = path.with_name(f".part-{path.name}")
    # What a killed process left there, or a link that somebody has put there.
    beside.unlink(missing_ok=True)
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class AppendFile:
    """A text file that pieces are appended to, each whole or not at all.

    Args:
        path: The file; made if absent.
        length: Bytes to keep of what is there; what comes after them is dropped.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        self._path = path
        with path.open("ab") as file:
            file.truncate(length)
        self.length = length

    def append(self, text: str) -> None:
        """Append a piece of text.

        Raises:
            OSError: If it cannot be written, on a full disk for one; the file is then as it was before.
        """
        piece = text.encode()
        # Unbuffered: one call to the system, which a killed process has made or has not made.
        with self._path.open("ab", buffering=0) as file:
            try:
                written = 0
                while written < len(piece):
                    written += file.write(piece[written:])
            except OSError:
                file.truncate(self.length)
                raise
        self.length += len(piece)

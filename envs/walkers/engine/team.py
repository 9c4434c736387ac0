"""Threads that share work: pieces go to whoever has time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


class Team:
    """The thread that calls it, and helpers that join in as soon as they wake up.

    Nobody waits for a helper that has not begun: where other programs keep a processor busy, the caller does
    the work alone. That is why it is no pool of Numba's, whose threads each get a fixed share.

    Args:
        size: How many threads, the caller's among them.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._helpers = ThreadPoolExecutor(size - 1, "team") if size > 1 else None

    def share(self, work: Callable[[int, Piece], None], pieces: Sequence[Piece]) -> None:
        """Do all pieces of work.

        Args:
            work: Called with the number of the thread, below `size`, and a piece. It gains from a second
                thread while it holds no lock of the interpreter.
            pieces: In the order in which they are begun.
        """
        left = iter(pieces)
        helping: list[Future[None]] = []
        if self._helpers is not None:
            numbers = range(1, min(self.size, len(pieces)))
            helping = [self._helpers.submit(_work_off, work, number, left) for number in numbers]
        try:
            _work_off(work, 0, left)
        finally:
            begun = [helper for helper in helping if not helper.cancel()]
            for helper in begun:
                helper.exception()
        for helper in begun:
            helper.result()

    def close(self) -> None:
        """Let the helpers end."""
        if self._helpers is not None:
            self._helpers.shutdown()


def _work_off(work: Callable[[int, Piece], None], number: int, left: Iterator[Piece]) -> None:
    # A list's iterator gives each piece once, whichever threads ask.
    for piece in left:
        work(number, piece)

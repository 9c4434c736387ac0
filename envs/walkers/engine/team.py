"""Threads that share work: each takes the next piece when it is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


class Team:
    """The calling thread, and helpers that join in as soon as they wake up.

    The caller does not wait for helpers that have not begun: if other programs keep a processor busy, it does
    the work alone. Numba's own thread pool would give each thread a fixed share.

    Args:
        size: Number of threads, including the caller's.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._helpers = ThreadPoolExecutor(size - 1, "team") if size > 1 else None

    def share(self, work: Callable[[int, Piece], None], pieces: Sequence[Piece]) -> None:
        """Do all pieces of work.

        Args:
            work: Called with the number of the thread, below `size`, and a piece. It only runs in parallel
                while it releases the interpreter lock.
            pieces: The pieces, in the order in which they are begun.
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
        """End the helpers."""
        if self._helpers is not None:
            self._helpers.shutdown()


def _work_off(work: Callable[[int, Piece], None], number: int, left: Iterator[Piece]) -> None:
    # A list's iterator yields each piece once, even if shared by threads.
    for piece in left:
        work(number, piece)

"""Comparative timing on a machine that is never quite idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """How long one contender took in each round.

    Attributes:
        seconds: Seconds per unit of work, one number per round.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median seconds per unit of work."""
        return float(np.median(self.seconds))

    def times_faster_than(self, peer: Timing) -> Ratio:
        """Speed relative to a peer that was timed in the same rounds."""
        ratios = np.array(peer.seconds) / np.array(self.seconds)
        low, median, high = np.percentile(ratios, (25, 50, 75))
        return Ratio(float(median), float(low), float(high))


@dataclass(frozen=True)
class Ratio:
    """A ratio over rounds: its median and quartiles."""

    median: float
    low: float
    high: float

    def as_row(self, name: str) -> dict[str, object]:
        """The entries of a results row: the median under a name, and the quartiles."""
        return {name: self.median, f"{name}_quartiles": [self.low, self.high]}

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def time_in_turns(
    contenders: Mapping[str, Callable[[], int]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Let contenders take turns, so that whatever slows the machine down slows all of them.

    Args:
        contenders: By name, a function that does some work and returns the number of units done.
        rounds: How many turns each gets, after an untimed one.
        clock: Returns seconds; for work of one process, CPU time is steadier than wall-clock time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            start = clock()
            units = work()
            if turn > 0:
                seconds[name].append((clock() - start) / units)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}

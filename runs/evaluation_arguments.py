"""Checks the arguments of an evaluation; imports no torch, so that errors appear at once."""

from __future__ import annotations

from pathlib import Path

SHIPPED = ("uniform", "grid", "open_ended")
"""The test sets that come with Chiron."""


def require_evaluation(test_set: str, episodes: int, n_workers: int) -> None:
    """Reject arguments with which no student can be evaluated.

    Args:
        test_set: One of `SHIPPED`, or the path of a CSV file.
        episodes: Seeded episodes per task.
        n_workers: Processes that step the envs.

    Raises:
        ValueError: With key, value and what is allowed.
    """
    if episodes < 1:
        raise ValueError(f"--episodes={episodes} must be at least 1")
    if n_workers < 0:
        raise ValueError(f"--workers={n_workers} must be at least 0")
    if test_set in SHIPPED:
        return
    if Path(test_set).suffix != ".csv":
        raise ValueError(f"--on {test_set} must be one of {', '.join(SHIPPED)} or a file that ends in .csv")
    if not Path(test_set).exists():
        raise ValueError(f"--on {test_set} cannot be read as CSV: there is no such file")

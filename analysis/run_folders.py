"""Finds folders with runs, without the imports that are needed to analyse them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..runs.printable import printable

_MARKS = ("config.yaml", "summary.json", "evaluations.csv")


def runs_in(folder: Path) -> Iterator[Path]:
    """The run directories in a folder and its subfolders, unordered and possibly with duplicates."""
    return (path.parent for name in _MARKS for path in folder.rglob(name))


def require_runs(folders: Sequence[Path]) -> None:
    """Check that there is something to compare.

    Raises:
        ValueError: If a folder does not exist, or none of them holds a run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{printable(folder)} is not a folder")
    if all(next(runs_in(folder), None) is None for folder in folders):
        raise ValueError("; ".join(f"{printable(each)} is not a run and contains none" for each in folders))

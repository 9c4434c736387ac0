"""From folders of runs to a comparison and its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .comparison import Comparison, compare
from .comparison_report import write_report
from .study import load_study
from .tensorboard_bands import write_bands


def compare_folders(
    folders: Sequence[Path], out: Path, baseline: str | None = None, allowed: Iterable[str] = ()
) -> Comparison:
    """Compare the runs in some folders, and write `report.html` and all that belongs to it.

    Args:
        folders: Runs' directories, or folders that hold some.
        out: Where to write; made if absent.
        baseline: As `compare` takes it.
        allowed: As `compare` takes it.

    Raises:
        ValueError: If a folder does not exist, there is nothing to compare, or the runs are not comparable.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
    runs, notes = load_study(*folders)
    if not runs:
        raise ValueError("; ".join(notes))
    rng = np.random.default_rng(0)
    comparison = compare(runs, rng, baseline, allowed)
    comparison.notes[:0] = notes
    title = " and ".join(dict.fromkeys(folder.resolve().name for folder in folders))
    write_report(comparison, title, out, rng)
    write_bands(comparison, out / "tensorboard")
    return comparison

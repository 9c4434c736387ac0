"""From folders of runs to a comparison and its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..runs.checked_files import require_no_way_out
from ..runs.printable import printable
from .comparison import Comparison, compare
from .comparison_report import write_report
from .study import read_study
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
        ValueError: If a folder does not exist, there is nothing to compare, the runs are not comparable, or
            a link in `out` leads out of it.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{printable(folder)} is not a folder")
    if out.exists():
        # A folder that the command line names may lie anywhere; what lies in it does not lead elsewhere.
        require_no_way_out(out, folders[0] if out.parent == folders[0] else out)
    runs, notes = read_study(*folders)
    if not runs:
        raise ValueError("; ".join(notes))
    rng = np.random.default_rng(0)
    comparison = compare(runs, rng, baseline, allowed)
    comparison.notes[:0] = notes
    title = " and ".join(dict.fromkeys(folder.resolve().name for folder in folders))
    write_report(comparison, title, out, rng)
    write_bands(comparison, out / "tensorboard")
    return comparison

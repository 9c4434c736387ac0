"""Compares folders of runs and writes a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..runs.checked_files import require_no_way_out
from .comparison import Choice, Comparison, compare
from .comparison_report import write_report
from .paper import write_paper
from .run_folders import require_runs
from .study import read_study
from .tensorboard_bands import write_bands


def compare_folders(
    folders: Sequence[Path] | Mapping[str, Path],
    out: Path,
    baseline: str | None = None,
    allowed: Iterable[str] = (),
    choice: Choice | None = None,
    paper: bool = False,
) -> Comparison:
    """Compare the runs in some folders, and write `report.html` and its companion files.

    Args:
        folders: Run directories, or folders that contain some; by name if their runs should be different
            conditions even if their configurations agree.
        out: Folder to write to; created if absent.
        baseline: As in `compare`.
        allowed: As in `compare`.
        choice: As in `compare`.
        paper: Whether to write vector figures, a LaTeX table and results of single seeds to `out/paper`.

    Raises:
        ValueError: If a folder does not exist, there is nothing to compare, the runs are not comparable, or
            a link in `out` leads out of it.
    """
    named = dict(folders) if isinstance(folders, Mapping) else {}
    places = list(named.values()) if isinstance(folders, Mapping) else list(folders)
    choice = choice or Choice()
    if named:
        choice = replace(choice, by_study=True)
    require_runs(places)
    if out.exists():
        # A folder named on the command line may be anywhere, but links in it must not lead out of it.
        require_no_way_out(out, places[0] if out.parent == places[0] else out)
    runs, notes = read_study(**named) if named else read_study(*places)
    if not runs:
        raise ValueError("; ".join(notes))
    rng = np.random.default_rng(0)
    comparison = compare(runs, rng, baseline, allowed, choice)
    comparison.notes[:0] = notes
    title = " and ".join(named or dict.fromkeys(folder.resolve().name for folder in places))
    write_report(comparison, title, out, rng)
    if paper:
        write_paper(comparison, out / "paper", rng)
    write_bands(comparison, out / "tensorboard")
    return comparison

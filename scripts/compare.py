"""chiron-compare: which condition is better, and how sure that is."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ..analysis import BEST, DIFFERENCES
from ..runs.printable import printable
from .console import outlive_the_terminal, plain_console
from .refusal import LEFT_OUT, refuse

COMMAND = "chiron-compare"

_NARROWEST = 150
"""Columns of the tables where the output is no terminal."""


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Compare the runs in some folders by what differs between their configurations: a table "
        "here, and report.html with figures, curricula and the commands that reproduce it.",
    )
    parser.add_argument(
        "results", nargs="+", type=Path, help="a run's directory, or a folder that holds runs"
    )
    parser.add_argument(
        "--baseline", help="teacher or condition to test the others against (default: random, if it is there)"
    )
    parser.add_argument("--out", type=Path, help="where to write (default: comparison in the first folder)")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=DIFFERENCES,
        help="a difference between the runs that is intended; may be given several times",
    )
    options = parser.parse_args()
    out: Path = options.out or options.results[0] / "comparison"
    _compare(options.results, out, options.baseline, options.allow)


def _compare(folders: Sequence[Path], out: Path, baseline: str | None, allowed: Sequence[str]) -> None:
    # For start-up time: these import torch, scipy, pandas and matplotlib, which --help does not need.
    from ..analysis.compare_folders import compare_folders
    from ..analysis.comparison_report import over_time_cells, result_cells
    from ..analysis.score_matrix import matrix_tables
    from ..analysis.study import LeftOut

    try:
        comparison = compare_folders(folders, out, baseline, allowed)
    except (ValueError, OSError) as error:
        refuse(error, COMMAND)
    console = plain_console()
    console.soft_wrap = True
    if not console.is_terminal:
        console.width = max(console.width, _NARROWEST)
    matrices = matrix_tables(comparison)
    if not matrices:
        console.print(_table("Results", result_cells(comparison)))
        console.print(_table("Mastered %, mean ± sd, by training steps", over_time_cells(comparison)))
    for title, rows in matrices.items():
        console.print(_table(f"{title}, mean ± sd; ★ the best of a row", rows))
    for note in comparison.notes:
        console.print(f"- {printable(note)}")
    console.print(f"Report:       {printable(out / 'report.html')}")
    console.print(f"TensorBoard:  tensorboard --logdir '{printable(_around([*folders, out]))}'")
    if any(isinstance(note, LeftOut) for note in comparison.notes):
        sys.exit(LEFT_OUT)


def _table(title: str, rows: Sequence[dict[str, str]]) -> Table:
    table = Table(title=title)
    for heading in rows[0]:
        table.add_column(printable(heading), justify="left" if heading in ("condition", "") else "right")
    for row in rows:
        table.add_row(
            *(Text(printable(cell), "bold" if cell.endswith(BEST) else "") for cell in row.values())
        )
    return table


def _around(folders: Sequence[Path]) -> Path:
    """The smallest folder that holds some others, as short as it can be said."""
    common = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    return common.relative_to(Path.cwd()) if common.is_relative_to(Path.cwd()) else common


if __name__ == "__main__":
    main()

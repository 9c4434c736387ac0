"""chiron-compare: which condition is better, and how sure that is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ..analysis.comparison import Comparison, compare
from ..analysis.comparison_report import over_time_cells, result_cells, write_report
from ..analysis.conditions import DIFFERENCES
from ..analysis.reproduction import command_of
from ..analysis.study import read_study
from ..analysis.tensorboard_bands import write_bands
from .refusal import refuse

COMMAND = "chiron-compare"

_NARROWEST = 150
"""Columns of the tables where the output is no terminal."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Compare the runs in some folders by what differs between their configurations: a table "
        "here, and report.html with figures, curricula and how to reproduce it.",
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
        help="a difference between the runs that is meant; may be given several times",
    )
    options = parser.parse_args()
    folders: list[Path] = options.results
    out: Path = options.out or folders[0] / "comparison"
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _NARROWEST)
    try:
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"{folder} is no folder")
        runs, notes = read_study(folders)
        if not runs:
            raise ValueError("; ".join(notes))
        rng = np.random.default_rng(0)
        comparison = compare(runs, rng, options.baseline, options.allow)
        comparison.notes[:0] = notes
        report = write_report(comparison, _title(folders), out, command_of, rng)
        write_bands(comparison, out / "tensorboard")
    except (ValueError, OSError) as error:
        refuse(error, COMMAND)
    _print(console, comparison, report)
    console.print(
        f"TensorBoard:  tensorboard --logdir '{_around([*folders, out])}'", highlight=False, soft_wrap=True
    )


def _around(folders: list[Path]) -> Path:
    """The smallest folder that holds some others, as short as it can be said."""
    common = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    return common.relative_to(Path.cwd()) if common.is_relative_to(Path.cwd()) else common


def _title(folders: list[Path]) -> str:
    return " and ".join(dict.fromkeys(folder.resolve().name for folder in folders))


def _print(console: Console, comparison: Comparison, report: Path) -> None:
    titles = ("Results", "Mastered %, mean ± sd, by training steps")
    for title, rows in zip(titles, (result_cells(comparison), over_time_cells(comparison)), strict=True):
        table = Table(title=title)
        for heading in rows[0]:
            table.add_column(heading, justify="left" if heading == "condition" else "right")
        for row in rows:
            table.add_row(*row.values())
        console.print(table)
    for note in comparison.notes:
        console.print(f"- {note}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Report:       {report}", highlight=False, soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()

"""chiron-compare: compares conditions, with statistics."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from rich.table import Table
from rich.text import Text

from ..analysis import BEST, DIFFERENCES, NAMES
from ..analysis.run_folders import require_runs
from ..runs.printable import printable
from .arguments import Parser
from .console import outlive_the_terminal, plain_console
from .refusal import LEFT_OUT, refuse

if TYPE_CHECKING:
    from ..analysis.comparison import Comparison

COMMAND = "chiron-compare"

_TENSORBOARD = "http://localhost:6006/"

_MEANS = "comparison/tensorboard"
"""Name of the means of the conditions in TensorBoard, wherever their files are."""

_WIDEST = 1000
"""Width of a table, in characters, if the output is not a terminal."""


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    parser = Parser(
        prog=COMMAND,
        description="Compare the runs in some folders by what differs between their configurations: a table "
        "here, and report.html with figures, curricula and the commands that reproduce it.",
    )
    parser.add_argument(
        "results",
        nargs="+",
        metavar="[NAME=]FOLDER",
        help="a run's directory, or a folder that holds runs; with names (new=results/a old=results/b), "
        "the runs of each folder are a separate condition, even if their configurations are the same",
    )
    parser.add_argument(
        "--by", choices=["study"], help="compare the runs of different studies as different conditions"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CONDITION",
        help="compare these conditions only: a label, or a teacher, env, student, study or setting in it "
        "(student.learning_rate=0.01); may be given several times",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="CONDITION", help="leave these conditions out"
    )
    parser.add_argument(
        "--at", type=int, metavar="STEP", help="compare the evaluations after this step (default: the last)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="RETURN",
        help="also report the percentage of test tasks with a return above this",
    )
    parser.add_argument(
        "--paper",
        action="store_true",
        help="also write vector figures at column width, table.tex and seeds.csv into paper/",
    )
    parser.add_argument(
        "--baseline",
        help="teacher, study or condition to test the others against (default: random, if it is there, or "
        "else the last of several studies)",
    )
    parser.add_argument("--out", type=Path, help="where to write (default: comparison in the first folder)")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=DIFFERENCES,
        help="a difference between the runs that is accepted; may be given several times",
    )
    options = parser.parse_args()
    _compare(options)


def _folders(given: Sequence[str]) -> list[Path] | dict[str, Path]:
    """The folders on the command line; by name if they have names."""
    named = [text for text in given if "=" in text and not Path(text).is_dir()]
    if not named:
        return [Path(text) for text in given]
    folders: dict[str, Path] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if text not in named or not name or not folder:
            raise ValueError(f"{printable(text)} must be name=folder, as {printable(named[0])} is")
        if name in folders:
            raise ValueError(f"{printable(name)}= is given twice: each folder needs a name of its own")
        folders[name] = Path(folder)
    return folders


def _compare(options: argparse.Namespace) -> None:
    try:
        given = _folders(options.results)
        folders = list(given.values()) if isinstance(given, dict) else given
        require_runs(folders)
    except ValueError as error:
        refuse(error, COMMAND)
    # For start-up time: these import torch, scipy, pandas and matplotlib, which nothing above needs.
    from ..analysis.compare_folders import compare_folders
    from ..analysis.comparison import Choice
    from ..analysis.comparison_report import over_time_cells, result_cells
    from ..analysis.score_matrix import matrix_tables
    from ..analysis.study import LeftOut

    try:
        out: Path = options.out or folders[0] / "comparison"
        by_study = options.by == "study" or isinstance(given, dict)
        choice = Choice(by_study, options.only, options.without, options.at, options.threshold)
        comparison = compare_folders(given, out, options.baseline, options.allow, choice, options.paper)
    except (ValueError, OSError) as error:
        refuse(error, COMMAND)
    console = plain_console()
    console.soft_wrap = True
    if not console.is_terminal:
        console.width = _WIDEST
    matrices = matrix_tables(comparison)
    if not matrices or choice.by_study:
        console.print(_table("Results", result_cells(comparison)))
        console.print(_table("Mastered %, mean ± sd, by training steps", over_time_cells(comparison)))
    for title, rows in matrices.items():
        console.print(_table(f"{title}, mean ± sd; ★ the best of a row", rows))
    for note in comparison.notes:
        console.print(f"- {printable(note)}")
    console.print(f"Report:       {printable(out / 'report.html')}")
    if options.paper:
        console.print(f"Paper:        {printable(out / 'paper')}")
    console.print(f"TensorBoard:  tensorboard {printable(_shown_by_tensorboard(given, out))}")
    console.print(f"then open     {_TENSORBOARD}?{_selection(comparison)}#timeseries")
    if any(isinstance(note, LeftOut) for note in comparison.notes):
        sys.exit(LEFT_OUT)


def _selection(comparison: Comparison) -> str:
    """TensorBoard settings that show the means of the conditions, unsmoothed, in one colour per teacher."""
    shown = {"smoothing": "0", "runFilter": "tensorboard/", "tagFilter": "evaluation/"}
    teachers = [condition.names["teacher"] for condition in comparison.counted]
    if 1 < len(teachers) == len(set(teachers)):
        # Single runs then get the colour of their teacher's mean. Longest first: names may be prefixes.
        names = "|".join(sorted(map(re.escape, teachers), key=len, reverse=True))
        shown["runColorGroup"] = f"regex:(?:^|/)({names})(?:/|$)"
    return urlencode(shown, quote_via=quote)


def _table(title: str, rows: Sequence[dict[str, str]]) -> Table:
    table = Table(title=title)
    for heading in rows[0]:
        is_name = heading in NAMES
        table.add_column(printable(heading), justify="left" if is_name else "right", no_wrap=is_name)
    for row in rows:
        table.add_row(
            *(Text(printable(cell), "bold" if cell.endswith(BEST) else "") for cell in row.values())
        )
    return table


def _shown_by_tensorboard(folders: Sequence[Path] | Mapping[str, Path], out: Path) -> str:
    """Arguments for TensorBoard that show only the runs and the means of the conditions."""
    named = folders if isinstance(folders, Mapping) else _named(folders)
    first = next(iter(named.values()))
    if all(folder.resolve().is_relative_to(first.resolve()) for folder in (*named.values(), out)):
        return f"--logdir {shlex.quote(str(first))}"
    shown = [*named.items(), (_MEANS, out / "tensorboard")]
    spec = ",".join(f"{name.replace(',', '_').replace(':', '_')}:{folder}" for name, folder in shown)
    return f"--logdir_spec {shlex.quote(spec)}"


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by their base names, or by their full paths if those are not unique."""
    by_name = {folder.resolve().name: folder for folder in folders}
    whole = {str(folder).strip("/"): folder for folder in folders}
    return by_name if len(by_name) == len(whole) else whole


if __name__ == "__main__":
    main()

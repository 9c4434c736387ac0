"""chiron-picture: pictures of finished runs, and of studies that hold several."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from evaluation.curriculum_pictures import draw_pictures
from evaluation.run_directory import RunDirectory
from evaluation.study import draw_study, read_study, summarize
from scripts.refusal import BAD_INPUT

_QUARTERS = 4


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="chiron-picture",
        description="Of a run: a still and, for two-dimensional tasks, an animation of what the teacher "
        "proposed and why. Of a folder of runs: the percentage mastered by teacher, as a figure with 95%% "
        "confidence bands and a table.",
    )
    parser.add_argument("folder", nargs="+", type=Path, help="a run's directory, or one that holds runs")
    try:
        for folder in parser.parse_args().folder:
            _draw(folder)
    except FileNotFoundError as error:
        print(f"chiron-picture: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)


def _draw(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no directory")
    console = Console()
    run = RunDirectory(folder)
    if run.summary.exists():
        for name in draw_pictures(run):
            console.print(folder / name, soft_wrap=True, highlight=False)
        return
    study = read_study(folder)
    figure = folder / "learning_curves.png"
    draw_study(study, figure)
    _print_table(console, study)
    console.print(figure, soft_wrap=True, highlight=False)


def _print_table(console: Console, study: pd.DataFrame) -> None:
    """Mastered percentage, mean ± standard deviation over seeds, at each quarter of the steps."""
    for (env, student), panel in summarize(study).groupby(["env", "student"]):
        steps = panel["step"].drop_duplicates().sort_values()
        shown = steps.iloc[[round((len(steps) - 1) * i / _QUARTERS) for i in range(1, _QUARTERS + 1)]]
        table = Table("teacher", "seeds", *(f"{step:,}" for step in shown), title=f"{env} · {student}")
        for teacher, rows in panel.groupby("teacher"):
            at = rows.set_index("step")
            cells = [f"{at['mean'][step]:.1f} ± {at['sd'][step]:.1f}" for step in shown if step in at.index]
            table.add_row(str(teacher), str(rows["seeds"].max()), *cells)
        console.print(table)


if __name__ == "__main__":
    main()

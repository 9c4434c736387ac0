"""chiron-picture: what the teacher of a run proposed and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from .refusal import refuse

COMMAND = "chiron-picture"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="A still and, for two-dimensional tasks, an animation of what the teacher of a run "
        "proposed and why.",
    )
    parser.add_argument("run", nargs="+", type=Path, help="a run's directory")
    try:
        for folder in parser.parse_args().run:
            _draw(folder)
    except FileNotFoundError as error:
        refuse(error, COMMAND)


def _draw(folder: Path) -> None:
    # For start-up time: these import matplotlib and pandas, which --help does not need.
    from ..runs.run_directory import RunDirectory
    from ..runs.run_pictures import draw_teacher

    run = RunDirectory(folder)
    if not run.summary.exists():
        raise FileNotFoundError(
            f"{folder} is not a run directory (chiron-compare compares the runs in a folder)"
        )
    for name in draw_teacher(run):
        print(folder / name)


if __name__ == "__main__":
    main()

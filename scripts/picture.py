"""chiron-picture: draws what the teacher of a run proposed and why."""

from __future__ import annotations

from pathlib import Path

from ..runs.checked_files import reason_of
from ..runs.printable import printable
from ..runs.run_directory import RunDirectory
from .arguments import Parser
from .console import outlive_the_terminal
from .refusal import BAD_INPUT, LEFT_OUT, refuse

COMMAND = "chiron-picture"


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    parser = Parser(
        prog=COMMAND,
        description="A still and, for two-dimensional tasks, an animation of what the teacher of a run "
        "proposed and why.",
    )
    parser.add_argument("run", nargs="+", type=Path, help="a run's directory")
    folders, problems = parser.parse_args().run, []
    for folder in folders:
        try:
            _draw(folder)
        except (ValueError, FileNotFoundError) as error:
            problems.append(str(error))
        # Matplotlib may raise anything on the numbers in an untrusted file.
        except Exception as error:
            problems.append(f"{folder} cannot be drawn: {type(error).__name__}: {reason_of(error)}")
    if problems:
        code = LEFT_OUT if len(problems) < len(folders) else BAD_INPUT
        refuse(ValueError("; ".join(problems)), COMMAND, code)


def _draw(folder: Path) -> None:
    run = RunDirectory(folder)
    if not run.summary.exists():
        raise FileNotFoundError(
            f"{printable(folder)} is not a run directory (chiron-compare compares the runs in a folder)"
        )
    # Here for start-up time: it imports matplotlib and pandas, which nothing above needs.
    from ..runs.run_pictures import draw_teacher

    run.require_unchanged(run.config, run.episodes, run.evaluations, run.snapshots)
    for picture in draw_teacher(run):
        run.record(folder / picture)
        print(printable(folder / picture))


if __name__ == "__main__":
    main()

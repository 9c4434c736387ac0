"""chiron-evaluate: evaluates a trained student on a test set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from rich.table import Table

from ..conf.build import build
from ..envs.importing import trusting
from ..envs.vector.env_error import EnvError
from ..runs.blaming import blaming
from ..runs.evaluation_arguments import require_evaluation
from ..runs.printable import printable
from ..runs.run_directory import RunDirectory
from .arguments import Parser
from .console import outlive_the_terminal, plain_console
from .refusal import BAD_INPUT, LEFT_OUT, as_sentence, refuse, say_error

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "chiron-evaluate"

FAILED = 1
"""Exit code for an evaluation that failed."""


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    parser = Parser(
        prog=COMMAND,
        description="Evaluate the student of a run on a test set with its deterministic policy. The episodes "
        "are written to evaluations/<test set>.csv in the run's directory (--best: best_<test set>.csv).",
    )
    parser.add_argument("run", nargs="+", type=Path, help="a run's directory, or a folder that holds runs")
    parser.add_argument(
        "--on",
        default="uniform",
        metavar="SET",
        help="uniform (50 tasks), grid (a regular one), open_ended (six test envs for walkers), or a CSV "
        "file with a column for each dimension of the task and optionally one for seeds (default: uniform)",
    )
    parser.add_argument("--episodes", type=int, default=1, help="seeded episodes of each task (default: 1)")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that step the envs; 0: none (default: 2)"
    )
    parser.add_student_options()
    options = parser.parse_args()
    with trusting(options.trust):
        _evaluate(options.run, options.on, options.episodes, options.workers, options.best)


def _evaluate(folders: Sequence[Path], test_set: str, episodes: int, n_workers: int, best: bool) -> None:
    """Evaluate the runs in the given folders and their subfolders; a folder without any is an error."""
    console, problems, code, evaluated = plain_console(), list[str](), LEFT_OUT, 0
    for run in [RunDirectory(path) for folder in folders for path in _runs_below(folder)]:
        try:
            require_evaluation(test_set, episodes, n_workers)
            run.require_student(best)
            name, rows = _play(run, test_set, episodes, n_workers, best)
        except (ValueError, OSError, HydraException) as error:
            problems.append(as_sentence(error))
        except EnvError as error:
            say_error(error, COMMAND)
            code = FAILED
        else:
            evaluated += 1
            console.print(_table(rows, name))
            console.print(f"Episodes:  {printable(run.test_set_rows(name))}", soft_wrap=True)
    if problems:
        is_input = code == LEFT_OUT and not evaluated
        refuse(ValueError("; ".join(dict.fromkeys(problems))), COMMAND, BAD_INPUT if is_input else code)
    if code == FAILED:
        sys.exit(FAILED)


def _play(
    run: RunDirectory, test_set: str, episodes: int, n_workers: int, best: bool
) -> tuple[str, pd.DataFrame]:
    # Here for start-up time: these import torch, which earlier errors do not need.
    from ..runs.evaluate_run import evaluate_run
    from ..runs.trained_student import TrainedStudent

    student = TrainedStudent(run, build, best)
    with blaming(f"run={run.path}"):
        make_env = build(student.env)
    return evaluate_run(student, make_env, test_set, episodes, n_workers)


def _runs_below(folder: Path) -> list[Path]:
    """The runs in a folder and its subfolders; the folder itself if there are none or it cannot be read."""
    found: list[Path] = []
    with suppress(OSError):
        found = sorted(config.parent for config in folder.rglob("config.yaml"))
    return found or [folder]


def _table(rows: pd.DataFrame, title: str) -> Table:
    """One row per test env; for a test set of tasks, one row for all of them."""
    # Here for start-up time: these import scipy.
    from ..analysis.statistics import mean_and_sd, plus_minus
    from ..analysis.worst_tasks import worst_return_of

    headings = ["tasks", "episodes", "mastered %", "return", "length"]
    parts = [(f"{rows['task_index'].nunique()}", rows)]
    if "test_env" in rows:
        parts = [(str(name), part) for name, part in rows.groupby("test_env", sort=False)]
    elif rows["episode"].max() > 0:
        headings.append("worst 10% return")
    table = Table(title=printable(title))
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "tasks" else "right", no_wrap=True)
    for name, part in parts:
        mean, sd = mean_and_sd(part["return"])
        cells = [
            printable(name),
            f"{len(part):,}",
            f"{100 * part['mastered'].mean():.1f}",
            plus_minus(mean, sd, 1),
        ]
        cells.append(f"{part['length'].mean():.0f}")
        if len(headings) > len(cells):
            cells.append(f"{worst_return_of(part):.1f}")
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    main()

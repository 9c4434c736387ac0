"""chiron-export: exports a trained student to a folder that can be published."""

from __future__ import annotations

import shlex
from pathlib import Path

from hydra.errors import HydraException

from ..conf.build import build
from ..envs.importing import trusting
from ..runs.export_arguments import require_export
from ..runs.printable import printable
from ..runs.run_directory import RunDirectory
from .arguments import Parser
from .console import outlive_the_terminal
from .refusal import refuse

COMMAND = "chiron-export"


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    parser = Parser(
        prog=COMMAND,
        description="Write the student of a finished run into a folder that can be published, as on the "
        "Hugging Face Hub: parameters as safetensors, configuration, and a model card with a map of the "
        "tasks that it has mastered. chiron-evaluate and load_student read it like the run. Needs the extra "
        "export.",
    )
    parser.add_argument("run", type=Path, help="a run's directory")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="a folder that does not exist yet (default: <env>-<teacher>-<student>-seed<k>, here)",
    )
    parser.add_student_options()
    options = parser.parse_args()
    try:
        with trusting(options.trust):
            folder = _export(options.run, options.out, options.best)
    except (ValueError, OSError, HydraException) as error:
        refuse(error, COMMAND)
    print(f"Exported to {printable(folder)}. To publish it on the Hugging Face Hub:")
    print(f"  huggingface-cli upload <user>/{printable(folder.name)} {shlex.quote(printable(folder))}")


def _export(run: Path, out: Path | None, best: bool) -> Path:
    directory = RunDirectory(run)
    directory.require_student(best)
    folder = out or Path(_name(directory.read_summary() or {}))
    require_export(directory, folder)
    # Here for start-up time: these import torch, which the errors above do not need.
    from ..runs.export import export_student
    from ..runs.trained_student import TrainedStudent

    export_student(TrainedStudent(directory, build, best), folder)
    return folder


def _name(summary: dict[str, object]) -> str:
    parts = [str(summary.get(part, part)) for part in ("env", "teacher", "student")]
    return "-".join([*parts, f"seed{summary.get('seed')}"]).replace("/", "_")


if __name__ == "__main__":
    main()

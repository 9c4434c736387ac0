"""How arguments are read: those that Hydra reads next, and those of commands without Hydra."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..runs.printable import printable


def with_home(arguments: Sequence[str]) -> list[str]:
    """Write the home directory for the `~` of `key=~/folder`, as bash does; Hydra cannot read it."""
    home = str(Path.home())
    return [re.sub(r"^([^=\s]+=)~(?=/|$)", lambda found: found[1] + home, argument) for argument in arguments]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong, and leave with 2."""
        super().error(printable(message))

    def add_student_options(self) -> None:
        """`--best` and `--trust`, of commands that use a trained student."""
        self.add_argument(
            "--best",
            action="store_true",
            help="take the student of the best evaluation in training instead of the last",
        )
        self.add_argument(
            "--trust",
            action="append",
            default=[],
            metavar="PACKAGE",
            help="a package or module of yours that the config.yaml of a run may name, and whose code is "
            "executed then; may be given several times (docs/trust.md)",
        )

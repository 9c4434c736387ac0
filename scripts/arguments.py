"""Preprocesses arguments for Hydra, and parses those of commands without Hydra."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..runs.printable import printable


def with_home(arguments: Sequence[str]) -> list[str]:
    """Expand the `~` of `key=~/folder` to the home directory, as bash does; Hydra cannot parse it."""
    home = str(Path.home())
    return [re.sub(r"^([^=\s]+=)~(?=/|$)", lambda found: found[1] + home, argument) for argument in arguments]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are always one line."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with code 2."""
        super().error(printable(message))

    def add_student_options(self) -> None:
        """Add `--best` and `--trust`, for commands that use a trained student."""
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
            help="a package or module of yours that the config.yaml of a run may name; its code is then "
            "executed; may be given several times (docs/trust.md)",
        )

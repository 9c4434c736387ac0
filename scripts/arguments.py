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

"""What is done to arguments before Hydra reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def with_home(arguments: Sequence[str]) -> list[str]:
    """Write the home directory for the `~` of `key=~/folder`, as bash does; Hydra cannot read it."""
    home = str(Path.home())
    return [re.sub(r"^([^=\s]+=)~(?=/|$)", lambda found: found[1] + home, argument) for argument in arguments]

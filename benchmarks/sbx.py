"""Updates of SBX's SAC, for an interpreter that has SBX: `python -m benchmarks.sbx <cores> <updates>`.

For every line on stdin, it makes the updates and prints `done`.
"""

from __future__ import annotations

import os
import sys


def main(cores: int, updates: int) -> None:
    """Answer lines until stdin ends."""
    # JAX takes all cores it finds.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from sbx import SAC

    from benchmarks.sac import updater

    update = updater(SAC, updates)
    for _ in sys.stdin:
        update()
        print("done", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

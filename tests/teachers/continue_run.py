"""A program that loads a teacher's state from a file and plays on, like a resumed run."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from chiron.runs.state_file import load_state

from tests.listing import build_teacher
from tests.teachers.spaces import cube, run


def main(*paths: str) -> None:
    """For every state file `<teacher>.<anything>`, write its next 300 proposals beside it as .npy."""
    warnings.simplefilter("ignore")
    for path in paths:
        teacher = build_teacher(path.rpartition("/")[2].partition(".")[0], space=cube(2), seed=99)
        teacher.load_state_dict(load_state(path))
        np.save(f"{path}.npy", run(teacher, 300))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Finds the user's part of a traceback: frames outside this package and installed libraries."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_OURS = (
    f"{_PACKAGE}/__init__.py",
    *(f"{folder}/" for folder in _PACKAGE.iterdir() if (folder / "__init__.py").is_file()),
)
_LIBRARIES = tuple(sysconfig.get_path(name) + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def called_code(error: BaseException) -> str:
    """The traceback of an error, starting where this package called other code.

    Args:
        error: The error, with its traceback.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [number for number, frame in enumerate(frames) if _is_ours(frame.filename)]
    return _formatted(error, frames[max(ours, default=-1) + 1 :])


def user_code(error: BaseException) -> str:
    """The traceback of an error from the first frame of the user's own code; "" if it was raised elsewhere.

    Args:
        error: The error, with its traceback.
    """
    frames = list(traceback.extract_tb(error.__traceback__))
    while frames and (_is_ours(frames[0].filename) or _is_of_library(frames[0].filename)):
        frames = frames[1:]
    is_theirs = bool(frames) and not any(_is_ours(frame.filename) for frame in frames)
    return _formatted(error, frames) if is_theirs else ""


def _is_ours(file: str) -> bool:
    # Tests are in the checkout, but call the package as its users do.
    return file.startswith(_OURS) and not file.startswith(f"{_PACKAGE}/tests/")


def _is_of_library(file: str) -> bool:
    # Frames of Cython modules have the path they were compiled from, such as numpy/random/_generator.pyx.
    return file.startswith((*_LIBRARIES, "<frozen")) or file.endswith((".pyx", ".pxd", ".pxi"))


def _formatted(error: BaseException, frames: list[traceback.FrameSummary]) -> str:
    head = ["Traceback (most recent call last):\n"] if frames else []
    lines = [*head, *traceback.format_list(frames), *traceback.format_exception_only(error)]
    return "".join(lines).rstrip()

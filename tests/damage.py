"""Kinds of damage to a file of a run, shared by all tests of damaged files."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, Path], None]
"""Damages a file of a run (first argument), given the same file of another run (second)."""


def _remove(file: Path, other: Path) -> None:
    file.unlink()


def _empty(file: Path, other: Path) -> None:
    file.write_bytes(b"")


def _cut(file: Path, other: Path) -> None:
    """Like an interrupted copy: cut within a line of text, or within a record of anything else."""
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])


def _fill_with_garbage(file: Path, other: Path) -> None:
    """Replace the content with random bytes of the same length."""
    file.write_bytes(random.Random(0).randbytes(file.stat().st_size))


def _take_from_another_run(file: Path, other: Path) -> None:
    shutil.copyfile(other, file)


def _link_away(file: Path, other: Path) -> None:
    """Replace the file by a link to a file outside the run with the same content."""
    elsewhere = other.with_name(f"moved-{file.name}")
    shutil.move(file, elsewhere)
    file.symlink_to(elsewhere.resolve())


DAMAGES: dict[str, Damage] = {
    "removed": _remove,
    "empty": _empty,
    "cut": _cut,
    "garbage": _fill_with_garbage,
    "foreign": _take_from_another_run,
    "link": _link_away,
}
"""Every kind of damage by its name."""


def files_of(run: Path) -> list[str]:
    """Relative paths of all files in a run's directory.

    Args:
        run: The directory.
    """
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


def damage(kind: str, file: Path, other: Path) -> None:
    """Damage a file.

    Args:
        kind: A key of `DAMAGES`.
        file: The file, of a copy of a run.
        other: The same file of another run, outside the first; the target of a link is put beside it.
    """
    DAMAGES[kind](file, other)

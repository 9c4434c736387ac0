"""Turns operating system errors on the files of a run into one sentence."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OF_ANY_FILE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOLCK),
}
"""Errors of the disk or this process, whose messages need not name a file."""
_REMEDIES = {errno.EMFILE: " (ulimit -n sets how many)", errno.EFBIG: " (ulimit -f sets how large)"}


class DiskError(OSError):
    """A run cannot read or write its files."""


@contextmanager
def disk_errors_said(path: Path) -> Iterator[None]:
    """Re-raise operating system errors on files below a path as one sentence; pass on all other errors.

    Args:
        path: The directory of a run.

    Raises:
        DiskError: On leaving the block.
    """
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        names_it = any(str(place) in str(error) for place in (path, path.absolute()))
        if not names_it and error.errno not in _OF_ANY_FILE:
            raise
        what = error.strerror or str(error)
        raise DiskError(
            f"{path} cannot be used any more: {what}{_REMEDIES.get(error.errno or 0, '')}; what was logged "
            "stays readable, and the same command continues from the last checkpoint there is"
        ) from error

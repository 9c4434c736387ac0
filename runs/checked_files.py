"""Reads files that may be damaged or untrusted; if one is, the error is one sentence that names the file."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import yaml
from numpy.typing import NDArray

from .printable import printable

if TYPE_CHECKING:
    import pandas as pd

TEXT_BYTES = 1 << 20
"""Size limit of a configuration or a summary."""
TABLE_BYTES = 1 << 30
"""Size limit of a log."""
PICTURE_BYTES = 1 << 25
"""Size limit of a picture."""
LARGEST_BYTES = 1 << 36
"""Size limit of any file that is read."""

_MOST_NODES = 100_000
"""Most numbers, lists, dicts and pieces of text in one configuration or summary."""
_DEEPEST = 100
"""Most nested levels of lists and dicts in a configuration."""
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Several times faster than the pure Python loader; absent if PyYAML was built without libyaml."""
_PIECE = 64
"""Characters of a piece of text."""
_MOST_BITS = 256
"""Most bits of an integer; seeds may have many."""
_MOST_CELLS_PER_BYTE = 8
"""Limit for Parquet files. Seeds and returns differ in every row, so a genuine file has fewer than one."""
_REASON_LENGTH = 300


class DamagedFileError(ValueError):
    """A file cannot be used; the message names it and says why."""


@contextmanager
def reading(path: Path, home: Path, most_bytes: int) -> Iterator[BinaryIO]:
    """Open a file, and turn any error in reading its content into one sentence.

    Args:
        path: The file.
        home: The folder that it belongs to; links that lead out of it are not followed.
        most_bytes: Size limit.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedFileError: If it is not a regular file, is outside of its folder or too large, or if the body
            of the `with` statement raises any exception.
    """
    require_inside(path, home)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DamagedFileError(f"{path} is not a regular file")
        if status.st_size > most_bytes:
            raise DamagedFileError(f"{path} has {status.st_size:,} bytes; at most {most_bytes:,} are read")
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, DamagedFileError):
        raise
    # Parsers can raise almost anything on damaged content, including memory and recursion errors.
    except Exception as error:
        raise DamagedFileError(f"{path} cannot be read: {reason_of(error)}") from error


def require_inside(path: Path, home: Path) -> None:
    """Check that no link makes a path in a folder lead out of it.

    Args:
        path: The path to be read or written; it need not exist.
        home: The folder, which may itself be a link.

    Raises:
        DamagedFileError: If a link leads out.
    """
    try:
        place = path.resolve()
    except (OSError, RuntimeError) as error:
        raise DamagedFileError(f"{path} is a link that leads nowhere") from error
    if not place.is_relative_to(home.resolve()):
        raise DamagedFileError(f"{path} is a link to {place}, outside of {home}: it is not followed")


def require_no_way_out(folder: Path, home: Path) -> None:
    """Check that a folder holds only regular files and folders, and that no link leads out of its home.

    Args:
        folder: The folder to be written to.
        home: The folder that it belongs to; the same one, or one above.

    Raises:
        DamagedFileError: If it holds anything else.
    """
    for path in (folder, *folder.rglob("*")):
        require_inside(path, home)
        if not (path.is_file() or path.is_dir()):
            raise DamagedFileError(f"{path} is neither a file nor a folder")


def reason_of(error: BaseException) -> str:
    """The message of an error on one line of limited length, or its class if it has no message."""
    lines = str(error).strip().splitlines()
    return printable(lines[0].strip(), _REASON_LENGTH) if lines else type(error).__name__


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_yaml(file: BinaryIO) -> dict[str, Any]:
    """Read a mapping of plain values from YAML.

    Raises:
        ValueError: If it is something else, or larger or deeper than any configuration.
        yaml.YAMLError: If it is not YAML, or names a Python type.
    """
    text = file.read()
    depth = 0
    # Checked event by event, because the C parser's recursion could overflow the stack.
    for event in yaml.parse(text, _YAML):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    return _mapping(yaml.load(text, _YAML))


def read_json(file: BinaryIO) -> dict[str, Any]:
    """Read a mapping from JSON.

    Raises:
        ValueError: If it is something else, or larger than any summary.
    """
    return _mapping(json.load(file))


def _mapping(value: Any) -> dict[str, Any]:
    """The same value, after checking that it is a mapping of strings to JSON values of limited size."""
    if not isinstance(value, dict):
        raise ValueError(f"it holds {type(value).__name__}, not keys and values")
    # Counted once per reference: in YAML a list can refer twice to another, that one twice to a third, and so
    # on, which fits on one line but not into memory.
    left: list[dict[Any, Any] | list[Any]] = [value]
    count = 0
    while left:
        node = left.pop()
        children = list(node) if isinstance(node, list) else [*node.values(), *node]
        for child in children:
            count += 1 + _pieces(child)
        if count > _MOST_NODES:
            raise ValueError(f"it holds more than {_MOST_NODES:,} values")
        if isinstance(node, dict) and not all(isinstance(key, str) for key in node):
            raise ValueError("its keys are not all strings")
        left += [child for child in children if isinstance(child, dict | list)]
    return value


def _pieces(leaf: Any) -> int:
    """How much a leaf counts in addition to one."""
    if isinstance(leaf, str):
        leaf.encode()  # fails for lone surrogates, which cannot be printed
        return len(leaf) // _PIECE
    if isinstance(leaf, int) and leaf.bit_length() > _MOST_BITS:
        raise ValueError(f"it holds an integer of {leaf.bit_length():,} bits")
    if leaf is not None and not isinstance(leaf, bool | int | float | dict | list):
        raise ValueError(f"it holds a {type(leaf).__name__}")
    return 0


def read_table(file: BinaryIO) -> pd.DataFrame:
    """Read a table from CSV, whose last line must be complete.

    Raises:
        ValueError: If it is something else.
    """
    import pandas as pd  # here for start-up time

    table = pd.read_csv(file)
    file.seek(-1, 2)
    if file.read() != b"\n":
        raise ValueError("its last line is cut off")
    return table


def read_parquet(file: BinaryIO, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table from Parquet that is not much larger in memory than on disk.

    Args:
        file: The file to read.
        columns: Columns to read; all by default.

    Raises:
        ValueError: If it declares more rows than its bytes can hold, or lacks one of the columns.
        OSError: If it is something else.
    """
    import pyarrow.parquet as pq  # here for start-up time

    table = pq.ParquetFile(file)
    declared = table.metadata
    size = file.seek(0, 2)
    if declared.num_rows * declared.num_columns > _MOST_CELLS_PER_BYTE * size:
        raise ValueError(f"it declares {declared.num_rows:,} rows in {size:,} bytes")
    for column in columns or ():
        if column not in table.schema_arrow.names:
            raise ValueError(f"it has no column {column}")
    # Takes a third of the time of pandas' own reader, which looks for data sets and file systems first.
    frame: pd.DataFrame = table.read(columns).to_pandas()
    return frame


def read_array(file: BinaryIO) -> NDArray[np.float64]:
    """Read an array of finite floats from a `.npy` file.

    Raises:
        ValueError: If it is something else, or its size is not the one it declares.
    """
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
    start = file.tell()
    if dtype != np.float64 or math.prod(shape) * dtype.itemsize != file.seek(0, 2) - start:
        raise ValueError(f"it declares an array of {dtype} and of shape {shape}, which it does not hold")
    file.seek(0)
    array: NDArray[np.float64] = np.load(file, allow_pickle=False)
    if not np.isfinite(array).all():
        raise ValueError("not all of its numbers are finite")
    return array


def read_picture(file: BinaryIO) -> bytes:
    """Read a complete PNG file.

    Raises:
        ValueError: If it is something else.
    """
    content = file.read()
    if not content.startswith(b"\x89PNG\r\n\x1a\n") or not content.endswith(b"IEND\xaeB`\x82"):
        raise ValueError("it is not a complete PNG file")
    return content

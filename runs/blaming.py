"""Errors that name their part of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def blaming(key: str) -> Iterator[None]:
    """Turn what a component says of its arguments into an error that names its part of the command line."""
    try:
        yield
    except (ValueError, TypeError, AssertionError) as error:
        raise ValueError(f"{key}: {error}") from error

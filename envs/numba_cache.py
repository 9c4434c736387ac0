"""Compiled functions that are stored in Numba's cache where possible, and work without it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, InTreeCacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])

_log = logging.getLogger(__name__)


def compiled_and_cached(function: Function, **options: Any) -> Function:
    """Compile a function for the types it is called with, and store the result in Numba's cache.

    The cache is where Numba puts it: in the folder `NUMBA_CACHE_DIR`, next to the sources, or in the user's
    home. If none of these is writable, a cache next to the sources is still read. Damaged files are compiled
    again.

    Args:
        function: The function to compile.
        **options: Options of `numba.njit`.
    """
    dispatcher = numba.njit(**options)(function)
    try:
        dispatcher._cache = _Cache(function)  # as its method enable_caching sets it
    except RuntimeError:  # no folder to write to or to read from
        _note_unwritable()
    return cast(Function, dispatcher)


@functools.cache
def _note_unwritable() -> None:
    _log.warning(
        "no folder for compiled code can be written to, so it is compiled again by every process: "
        "set NUMBA_CACHE_DIR to one that can"
    )


@functools.cache
def _note_damage(path: str) -> None:
    _log.warning("the compiled code in %s is damaged, and is compiled again", path)


class _BesideTheSources(InTreeCacheLocator):  # type: ignore[misc]  # numba is untyped
    """A folder in which a cache can be read, though not written."""

    def ensure_cache_path(self) -> None:
        if not Path(self.get_cache_path()).is_dir():
            raise FileNotFoundError(self.get_cache_path())


class _Places(CompileResultCacheImpl):  # type: ignore[misc]  # numba is untyped
    _locator_classes = (*CompileResultCacheImpl._locator_classes, _BesideTheSources)


class _CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]  # numba is untyped
    """Cache files that end with the SHA-256 of their content, since a flipped bit can crash a process."""

    def _dump(self, content: Any) -> bytes:
        pickled: bytes = super()._dump(content)
        return pickled + hashlib.sha256(pickled).digest()

    def _load_index(self) -> Any:
        written = _read_if_there(self._index_path)
        version = pickle.dumps(self._version, protocol=-1)
        if not written.startswith(version):
            return {}  # none yet, or one of another version of Numba
        _require_whole(written.removeprefix(version))
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        _require_whole(Path(self._data_path(name)).read_bytes())
        return super()._load_data(name)


class _Cache(FunctionCache):  # type: ignore[misc]  # numba is untyped
    """A cache whose failures are not fatal."""

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = _CheckedFiles(
            self._cache_path, self._impl.filename_base, locator.get_source_stamp()
        )

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # damaged pickles may raise anything
            _note_damage(self._cache_path)
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except OSError:
            _note_unwritable()


def _read_if_there(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""


def _require_whole(content: bytes) -> None:
    size = hashlib.sha256().digest_size
    if hashlib.sha256(content[:-size]).digest() != content[-size:]:
        raise ValueError("the content is not what its checksum says")

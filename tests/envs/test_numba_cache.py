"""Compiled functions when Numba's cache is damaged or not writable."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chiron.envs import numba_cache
from numba.core import caching, config

SOURCE = """
from chiron.envs.numba_cache import compiled_and_cached

def add(one, other):
    return one + other

add = compiled_and_cached(add)
"""


@pytest.fixture(autouse=True)
def forgotten_notes() -> None:
    numba_cache._note_damage.cache_clear()
    numba_cache._note_unwritable.cache_clear()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Import the compiled function as a new process would."""
    file = tmp_path / "adding.py"
    file.write_text(SOURCE)

    def load() -> Any:
        spec = importlib.util.spec_from_file_location("adding", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "adding", module)
        spec.loader.exec_module(module)
        return module.add

    return load


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nothing can be written below a folder, not even by root."""

    def refuse(*arguments: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    def lock() -> None:
        monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
        monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", refuse)

    return lock


def cached_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ci]"))


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def test_what_is_cached_is_not_compiled_again(load: Any, tmp_path: Path) -> None:
    first = load()
    assert (first(1, 2), hits(first), len(cached_files(tmp_path))) == (3, 0, 2)
    second = load()
    assert (second(1, 2), hits(second)) == (3, 1)


@pytest.mark.parametrize("part", ["data", "index"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "extended"])
def test_what_is_damaged_is_compiled_again_with_a_note(
    load: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str, damage: str
) -> None:
    load()(1, 2)
    file = cached_files(tmp_path)[["data", "index"].index(part)]
    content = file.read_bytes()
    flipped = content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
    file.write_bytes({"cut": content[:-20], "flipped": flipped, "extended": content + os.urandom(99)}[damage])
    again = load()
    assert (again(1, 2), hits(again)) == (3, 0)
    assert ["is damaged, and is compiled again" in record.message for record in caplog.records] == [True]
    healed = load()
    assert (healed(1, 2), hits(healed)) == (3, 1)


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_an_index_of_something_else_is_none(load: Any, tmp_path: Path, content: bytes) -> None:
    load()(1, 2)
    cached_files(tmp_path)[1].write_bytes(content)
    assert load()(1, 2) == 3


def test_a_filled_cache_is_read_where_nothing_can_be_written(
    load: Any, read_only: Any, caplog: pytest.LogCaptureFixture
) -> None:
    load()(1, 2)
    read_only()
    again = load()
    assert (again(1, 2), hits(again)) == (3, 1)
    assert caplog.records == []
    assert again(1.0, 2.0) == 3.0
    assert [record.message[:24] for record in caplog.records] == ["no folder for compiled c"]


def test_without_any_cache_functions_are_compiled_with_one_note(
    load: Any, read_only: Any, caplog: pytest.LogCaptureFixture
) -> None:
    read_only()
    assert load()(1, 2) == load()(1, 2) == 3
    assert ["NUMBA_CACHE_DIR" in record.message for record in caplog.records] == [True]


def test_the_users_own_folder_is_used(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "mine"))
    load()(1, 2)
    assert len(cached_files(tmp_path / "mine")) == 2

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.checkpoints import Checkpoint, CheckpointError, Checkpoints, chunk_size
from chiron.runs.state_file import load_state, save_state
from chiron.runs.whole_files import AppendFile, FileRecord, replacing

LARGE = 3 << 20
"""Numbers of 4 bytes: three chunks of 4 MiB."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def state(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(10, dtype=[("position", "f4", (2,)), ("touches", "i4")])
    rows["position"] = rng.random((10, 2))
    return {
        "small": rng.random(5),
        "large": rng.random(LARGE, dtype=np.float32).reshape(-1, 2),
        "nested": [{"rows": rows, "name": "stump", "none": None}],
        "integer": 2**100,
    }


def assert_equal(one: Mapping[str, Any], other: dict[str, Any]) -> None:
    np.testing.assert_array_equal(one["small"], other["small"])
    np.testing.assert_array_equal(one["large"], other["large"])
    assert one["large"].dtype == other["large"].dtype
    np.testing.assert_array_equal(one["nested"][0]["rows"], other["nested"][0]["rows"])
    assert one["nested"][0]["rows"].dtype == other["nested"][0]["rows"].dtype
    assert (one["integer"], one["nested"][0]["name"]) == (other["integer"], other["nested"][0]["name"])


def chunks(folder: Path) -> dict[str, int]:
    """Modification time of each chunk."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "chunks").iterdir()}


def test_gives_back_what_was_saved(folder: Path) -> None:
    assert Checkpoints(folder).newest_step() is None
    assert Checkpoints(folder).newest() == (None, [])
    Checkpoints(folder).save(Checkpoint(7, state()))
    assert Checkpoints(folder).newest_step() == 7
    stored, faults = Checkpoints(folder).newest()
    assert stored is not None
    assert not faults
    assert_equal(stored.state, state())


def test_large_arrays_of_records_come_back(folder: Path) -> None:
    records = np.zeros(1 << 20, dtype=[("a", "f4"), ("b", "i4", (2,))])
    records["b"][:, 1] = np.arange(1 << 20)
    Checkpoints(folder).save(Checkpoint(0, {"records": records}))
    stored, _ = Checkpoints(folder).newest()
    assert stored is not None
    np.testing.assert_array_equal(stored.state["records"], records)


def test_what_has_not_changed_is_not_written_again(folder: Path) -> None:
    growing, checkpoints = state(), Checkpoints(folder)
    checkpoints.save(Checkpoint(1, growing))
    before = chunks(folder)
    growing["large"][-1, -1] = 0
    checkpoints.save(Checkpoint(2, growing))
    after = chunks(folder)
    assert len(before) == 3
    assert len(after) == 4
    assert all(after[name] == written for name, written in before.items())


@pytest.mark.parametrize("mebibytes", [4, 100, 420, 9_000])
def test_a_large_state_has_larger_chunks_not_more(mebibytes: int) -> None:
    large = np.broadcast_to(np.uint8(0), mebibytes << 20)  # takes no memory
    size = chunk_size({"buffer": [large], "small": np.zeros(9)})
    assert size % (4 << 20) == 0
    assert large.nbytes / size <= 48
    assert size == 4 << 20 or large.nbytes / size > 24


def test_keeps_the_last_two_and_nothing_of_others(folder: Path) -> None:
    for step in (5, 10, 15):
        Checkpoints(folder).save(Checkpoint(step, state(step)))
    assert [path.name for path in sorted(folder.glob("*.npz"))] == [
        "step-000000000010.npz",
        "step-000000000015.npz",
    ]
    assert len(chunks(folder)) == 6


class TestDamage:
    @pytest.fixture
    def two(self, folder: Path) -> Path:
        Checkpoints(folder).save(Checkpoint(1, state(1)))
        Checkpoints(folder).save(Checkpoint(2, state(2)))
        return folder

    def assert_falls_back(self, folder: Path, named: Path) -> None:
        stored, faults = Checkpoints(folder).newest()
        assert stored is not None
        assert_equal(stored.state, state(1))
        (fault,) = faults
        assert str(named) in fault

    def test_truncated(self, two: Path) -> None:
        newest = two / "step-000000000002.npz"
        os.truncate(newest, newest.stat().st_size // 2)
        self.assert_falls_back(two, newest)

    @pytest.mark.parametrize("place", [0.1, 0.3, 0.5])
    def test_changed(self, two: Path, place: float) -> None:
        newest = two / "step-000000000002.npz"
        content = bytearray(newest.read_bytes())
        content[int(place * len(content))] ^= 0xFF
        newest.write_bytes(content)
        self.assert_falls_back(two, newest)

    def test_changed_chunk(self, two: Path) -> None:
        chunk = max((two / "chunks").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        content = bytearray(chunk.read_bytes())
        content[100] ^= 1
        chunk.write_bytes(content)
        self.assert_falls_back(two, chunk)

    def test_missing_chunk(self, two: Path) -> None:
        chunk = max((two / "chunks").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        chunk.unlink()
        self.assert_falls_back(two, chunk)

    def test_other_version(self, two: Path) -> None:
        newest = two / "step-000000000002.npz"
        save_state(newest, load_state(newest) | {"version": 99})
        self.assert_falls_back(two, newest)

    def test_all_damaged(self, two: Path) -> None:
        for path in two.glob("*.npz"):
            path.write_bytes(b"")
        with pytest.raises(CheckpointError, match=r"none of the checkpoints in .* can be used .*step-0+2"):
            Checkpoints(two).newest()

    def test_what_a_killed_writer_left_is_cleared_away(self, two: Path) -> None:
        left = two / "chunks" / ".abc.123.part"
        left.write_bytes(b"half of a chu")
        Checkpoints(two).save(Checkpoint(3, state(3)))
        assert not left.exists()


class TestFullDisk:
    def test_checkpoints_stay(self, small_disk: Path) -> None:
        checkpoints = Checkpoints(small_disk / "checkpoints")
        few = {"large": np.random.default_rng(0).random(1 << 20, dtype=np.float32)}
        checkpoints.save(Checkpoint(1, few))
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(Checkpoint(2, state()))
        stored, faults = checkpoints.newest()
        assert stored is not None
        assert not faults
        np.testing.assert_array_equal(stored.state["large"], few["large"])
        assert not list(small_disk.rglob("*.part"))
        assert not list(small_disk.rglob(".part-*"))

    def test_an_appended_file_stays(self, small_disk: Path) -> None:
        log = AppendFile(small_disk / "log.csv")
        log.append("step,mastered\n")
        with pytest.raises(OSError, match="No space left"):
            log.append("x" * (20 << 20))
        assert (small_disk / "log.csv").read_text() == "step,mastered\n"
        log.append("1,2\n")
        assert (small_disk / "log.csv").read_text() == "step,mastered\n1,2\n"

    def test_a_replaced_file_stays(self, small_disk: Path) -> None:
        path = small_disk / "summary.json"
        path.write_text("old")
        with pytest.raises(OSError, match="No space left"), replacing(path) as beside:
            beside.write_bytes(bytes(20 << 20))
        assert path.read_text() == "old"
        assert [file.name for file in small_disk.iterdir()] == ["summary.json"]


def test_an_appended_file_is_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("kept\nhalf a li")
    log = AppendFile(path, FileRecord(len("kept\n"), ""))
    log.append("new\n")
    assert path.read_text() == "kept\nnew\n"
    assert log.length == len("kept\nnew\n")

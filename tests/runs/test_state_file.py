from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.state_file import load_state, save_state


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {
        "rng": np.random.default_rng(0).bit_generator.state,
        "none": None,
        "numbers": [1, -2.5, True, 2**127, 0.1],
        "nested": {"deep": [{"array": np.arange(6, dtype=np.int32).reshape(2, 3)}, "ü"]},
        "empty": np.empty((0, 4), dtype=np.float32),
    }
    save_state(tmp_path / "teacher.state", state)
    loaded = load_state(tmp_path / "teacher.state")
    assert [path.name for path in tmp_path.iterdir()] == ["teacher.state"]
    assert loaded["rng"] == state["rng"]
    assert loaded["numbers"] == state["numbers"]
    assert loaded["none"] is None
    array = loaded["nested"]["deep"][0]["array"]
    assert array.dtype == np.int32
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded["nested"]["deep"][1] == "ü"
    assert loaded["empty"].shape == (0, 4)
    assert loaded["empty"].dtype == np.float32


def test_numpy_numbers_become_plain_ones(tmp_path: Path) -> None:
    save_state(tmp_path / "s", {"a": np.float64(0.5), "b": np.int64(3), "c": (1, 2)})
    assert load_state(tmp_path / "s") == {"a": 0.5, "b": 3, "c": [1, 2]}


def test_the_file_holds_arrays_and_json_only(tmp_path: Path) -> None:
    save_state(tmp_path / "s", {"a": np.ones(3), "b": "text"})
    with zipfile.ZipFile(tmp_path / "s") as members:
        assert sorted(members.namelist()) == ["array_0.npy", "json.npy"]
    with np.load(tmp_path / "s", allow_pickle=False) as members:
        assert all(not members[name].dtype.hasobject for name in members.files)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"a": {"b": object()}}, "state.a.b is a object"),
        ({"a": [{1: 2}]}, r"state.a\[0\] has the key 1"),
        ({"a": np.array([None])}, "state.a is a ndarray"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, state: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        save_state(tmp_path / "s", state)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path / "s", {"a": 1})

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        save_state(tmp_path / "s", {"a": 2})
    assert load_state(tmp_path / "s") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ValueError, match="s must be a state file"):
        load_state(tmp_path / "s")


def test_an_array_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.save(tmp_path / "other.npy", np.ones(3))
    for name in ("other.npz", "other.npy"):
        with pytest.raises(ValueError, match=f"{name} must be a state file"):
            load_state(tmp_path / name)

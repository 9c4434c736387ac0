"""If a checkpoint is damaged, an older one is used or a CheckpointError is raised, nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.checked_files import DamagedFileError
from chiron.runs.checkpoints import Checkpoint, CheckpointError, Checkpoints
from chiron.runs.state_file import load_state, save_state
from chiron.runs.whole_files import AppendFile

from tests.damage import DAMAGES, damage, files_of

OLDER, NEWER = 100, 200


def write_run(folder: Path, seed: int = 0, large: int = 0) -> Path:
    """The directory of a run with a log and two checkpoints, which may share a large array."""
    folder.mkdir()
    log, checkpoints = AppendFile(folder / "log.csv"), Checkpoints(folder / "checkpoints")
    for step in (OLDER, NEWER):
        log.append(f"{seed},{step},{step}\n")
        checkpoints.save(Checkpoint(step, state_at(step + seed, large), {log.path: log.record()}))
    log.append("later\n")
    return folder


def state_at(seed: int, large: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "name": f"ppo {seed}",
        "weights": rng.random((3, 2)),
        "empty": np.empty((0, 2)),
        "rng": rng.bit_generator.state,
        "shared": np.arange(large, dtype=np.float32),
        "own": np.full(large, seed, np.float32),
    }


def used(run: Path, large: int = 0) -> int | None:
    """Step of the checkpoint that is used, after checking every bit of it; None if there is none."""
    try:
        checkpoint, faults = Checkpoints(run / "checkpoints").newest()
    except CheckpointError:
        return None
    assert checkpoint is not None
    assert len(faults) <= (checkpoint.step == OLDER)
    assert bits_of(checkpoint.state) == bits_of(state_at(checkpoint.step, large))
    return checkpoint.step


def bits_of(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: (part.dtype, part.shape, part.tobytes()) if isinstance(part, np.ndarray) else part
        for name, part in state.items()
    }


@pytest.mark.parametrize("kind", DAMAGES)
def test_any_file(kind: str, tmp_path: Path) -> None:
    large = 1 << 20
    run, other = write_run(tmp_path / "run", large=large), write_run(tmp_path / "other", seed=1, large=large)
    outcomes = {}
    for number, name in enumerate(files_of(run)):
        place, twin = tmp_path / str(number), tmp_path / f"other{number}" / Path(name).name
        shutil.copytree(run, place)
        twin.parent.mkdir()
        shutil.copyfile((other if (other / name).exists() else run) / name, twin)
        damage(kind, place / name, twin)
        outcomes[name] = used(place, large)
    # Cut to two thirds, the log still has the rows that the older checkpoint relies on.
    assert outcomes.pop("log.csv") == (OLDER if kind == "cut" else None)
    assert outcomes.pop(f"checkpoints/step-{NEWER:012d}.npz") == OLDER
    assert outcomes.pop(f"checkpoints/step-{OLDER:012d}.npz") == NEWER
    # One chunk is shared, and each checkpoint has its own; foreign chunks have the same content here.
    assert list(outcomes.values()).count(NEWER) == (3 if kind == "foreign" else 1)
    assert list(outcomes.values()).count(OLDER) == (0 if kind == "foreign" else 1)


@pytest.mark.parametrize("folder", ["checkpoints", "checkpoints/chunks", "episodes"])
def test_folders_that_are_links(folder: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", large=1 << 20)
    (run / "episodes").mkdir()
    part, checkpoints = AppendFile(run / "episodes" / "part"), Checkpoints(run / "checkpoints")
    checkpoints.save(Checkpoint(300, state_at(300, 1 << 20), {part.path: part.record()}))
    checkpoints.save(Checkpoint(400, state_at(400, 1 << 20), {part.path: part.record()}))
    (run / folder).rename(tmp_path / "elsewhere")
    (run / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=f"run/{folder}.* is a link to .*elsewhere"):
        Checkpoints(run / "checkpoints").newest()


def flipped_and_cut(content: bytes, stride: int, masks: tuple[int, ...]) -> Iterator[bytes]:
    for place in range(0, len(content), stride):
        yield content[:place]
        for mask in masks:
            yield content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("stride", "masks"),
    [
        pytest.param(23, (0xFF,), id="some"),
        pytest.param(1, (0xFF, 0x01, 0x20, 0x80), id="every byte", marks=pytest.mark.slow),
    ],
)
def test_any_byte(stride: int, masks: tuple[int, ...], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    newest = run / "checkpoints" / f"step-{NEWER:012d}.npz"
    content = newest.read_bytes()
    outcomes = []
    for damaged in flipped_and_cut(content, stride, masks):
        newest.write_bytes(damaged)
        outcomes.append(used(run))
    assert len(outcomes) > 150
    # Some bytes do not matter, such as the dates of the archive's members.
    assert set(outcomes) <= {OLDER, NEWER}
    assert outcomes.count(OLDER) > 0.8 * len(outcomes)


def test_a_damaged_chunk_is_not_counted_on_again(tmp_path: Path) -> None:
    large = 1 << 20
    run = write_run(tmp_path / "run", large=large)
    checkpoints = Checkpoints(run / "checkpoints")
    (damaged,) = [
        path
        for path in (run / "checkpoints" / "chunks").iterdir()
        if np.fromfile(path, np.float32)[0] == NEWER
    ]
    damaged.write_bytes(b"")
    checkpoint, _ = checkpoints.newest()
    assert checkpoint is not None
    assert checkpoint.step == OLDER
    # The run continues from there and reaches the same state.
    checkpoints.save(Checkpoint(NEWER, state_at(NEWER, large), checkpoint.files))
    assert used(run, large) == NEWER


def test_states_later_than_the_run_are_dropped(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    checkpoints = Checkpoints(run / "checkpoints")
    checkpoints.save(Checkpoint(150, state_at(150)))
    assert checkpoints.steps() == [OLDER, 150]


@pytest.mark.parametrize("name", ["../other/log.csv", "/etc/hostname"])
def test_files_outside_of_the_run_are_not_read(name: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    newest = run / "checkpoints" / f"step-{NEWER:012d}.npz"
    stored = load_state(newest)
    save_state(newest, stored | {"files": {name: [1, "0"]}})
    with pytest.raises(DamagedFileError, match=f"{name}, which is not a file of the run"):
        Checkpoints(run / "checkpoints").read(NEWER)

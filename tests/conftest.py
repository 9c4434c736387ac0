"""Markers, signals and fixtures shared by all tests."""

from __future__ import annotations

import gc
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chiron.envs.task_space import TaskSpace
from hydra._internal.hydra import Hydra
from matplotlib.figure import Figure

from tests.countdown_env import CountdownEnv

# Shells start background jobs with SIGINT ignored, and then nothing below can be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MARKERS_OF_SLOWER_TESTS = ("browser", "medium", "slow", "slurm")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test without another marker as `fast`; slow ones have no time limit."""
    longer = set()
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(0))
        if any(item.get_closest_marker(name) for name in MARKERS_OF_SLOWER_TESTS):
            longer.add(item.path)
        else:
            item.add_marker("fast")
    # Processes take one file after another: with short ones last, all end at about the same time.
    items.sort(key=lambda item: item.path not in longer)


def pytest_collection_finish() -> None:
    """Let the garbage collector skip permanent objects: libraries and tests, a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _signals_are_given_back() -> Iterator[None]:
    """Restore and check signal handlers: a handler left behind would end the process in another test."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    after = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not None:
            signal.signal(number, before[number])
    assert after == before


@pytest.fixture(scope="session", autouse=True)
def _single_runs_are_composed_once() -> Iterator[None]:
    """Skip Hydra's first composition of a command line, which checks whether a preset makes it a sweep.

    It is kept where a preset is chosen. Tests run some thousand command lines.
    """
    asked, presets = Hydra.get_mode, ("experiment", "debug", "sweeper", "launcher", "hydra")

    def get_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        may_be_set = any(override.lstrip("+~").startswith(presets) for override in overrides)
        return asked(hydra, config_name, overrides) if may_be_set else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hydra, "get_mode", get_mode)
        yield


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are created and saved but not drawn, which would take half the time of a small run."""
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def countdown_space() -> TaskSpace:
    return CountdownEnv().task_space

"""Detection of a GPU from torch's own files."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from chiron.runs.device import cannot_see_gpus, require_device

TORCH = (
    "__version__ = '2.13.0'\ndebug = False\ncuda: Optional[str] = {}\nhip: Optional[str] = {}\nxpu = None\n"
)


def no_driver(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file")


def test_a_build_for_cpus_sees_none() -> None:
    assert cannot_see_gpus(TORCH.format(None, None))


def test_a_build_for_amd_is_asked() -> None:
    assert not cannot_see_gpus(TORCH.format(None, "'7.1'"))


@pytest.mark.parametrize("text", ["", "cuda = None\n", "hip = None\n"])
def test_a_file_that_does_not_say_leaves_it_to_torch(text: str) -> None:
    assert not cannot_see_gpus(text)


@pytest.mark.skipif(sys.platform != "linux", reason="how the driver is found on Linux")
def test_a_build_for_nvidia_needs_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not cannot_see_gpus(TORCH.format("'13.0'", None))
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    monkeypatch.setattr("pathlib.Path.glob", lambda path, pattern: iter(["nvidiactl"]))
    assert not cannot_see_gpus(TORCH.format("'13.0'", None))
    monkeypatch.setattr("pathlib.Path.glob", lambda path, pattern: iter([]))
    assert cannot_see_gpus(TORCH.format("'13.0'", None))


def test_agrees_with_torch() -> None:
    text = Path(torch.version.__file__).read_text()
    assert not (cannot_see_gpus(text) and torch.cuda.is_available())


def test_says_what_devices_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    require_device("auto")
    require_device("cpu")
    with pytest.raises(ValueError, match="device=tpu must be auto, cpu, cuda or cuda:N"):
        require_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ValueError, match="device=cuda:1 needs a GPU and torch sees none: use device=cpu or auto"
    ):
        require_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    require_device("cuda:1")

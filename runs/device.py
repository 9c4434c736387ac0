"""The devices that a student's networks can be on."""

from __future__ import annotations

import ctypes
import re
import sys
from importlib.util import find_spec
from pathlib import Path


def require_device(device: str) -> None:
    """Check that torch can use a device.

    Args:
        device: auto, cpu, cuda or cuda:N.

    Raises:
        ValueError: If there is no such device, or it is a GPU and torch sees none.
    """
    kind = device.split(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device} must be auto, cpu, cuda or cuda:N")
    if kind == "cuda" and not _torch_sees_a_gpu():
        raise ValueError(f"device={device} needs a GPU and torch sees none: use device=cpu or auto")


def _torch_sees_a_gpu() -> bool:
    spec = find_spec("torch")
    if "torch" not in sys.modules and spec is not None and spec.origin is not None:
        version = Path(spec.origin).with_name("version.py")
        if version.exists() and cannot_see_gpus(version.read_text()):
            return False
    import torch  # takes seconds, which the check above avoids

    return torch.cuda.is_available()


def cannot_see_gpus(version: str) -> bool:
    """Whether a build of torch certainly finds no GPU here, determined without importing it.

    Args:
        version: The text of its `version.py`, which says what it was built for.
    """
    built_for = dict(re.findall(r"^(cuda|hip)\b[^=\n]*= *(.+?) *$", version, re.MULTILINE))
    if built_for.get("hip") != "None" or "cuda" not in built_for:
        return False
    if built_for["cuda"] == "None":
        return True
    if sys.platform != "linux":
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:  # without a driver CUDA finds no GPU
        return not any(Path("/dev").glob("nv*")) and not Path("/dev/dxg").exists()
    return False

"""Writes the frames of an episode to a video or still."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frame = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

_GIF_FRAMES_PER_SECOND = 25
_GIF_COLORS = 128


def write_video(frames: Iterable[Frame], path: Path, frames_per_second: int) -> None:
    """Write frames as they arrive, so that memory holds them only in encoded form.

    Args:
        frames: At least one, all of the same shape.
        path: File to write: `.gif` (at most about 25 frames per second, others are dropped), `.mp4` (H.264),
            or `.png` (the last frame).
        frames_per_second: Frame rate of `frames`.

    Raises:
        ValueError: If the suffix is none of these.
    """
    require_video(path)
    _WRITERS[path.suffix.lower()](iter(frames), path, frames_per_second)


def require_video(path: Path) -> None:
    """Check that `write_video` can write a file.

    Raises:
        ValueError: If its suffix is not supported, or needs PyAV, which is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError(f"{path} must end in one of {', '.join(_WRITERS)}")
    if suffix == ".mp4" and importlib.util.find_spec("av") is None:
        raise ValueError(f"{path}: .mp4 files need the extra 'video': pip install 'chiron-curricula[video]'")


def encode_gif(frames: Iterable[Frame], frames_per_second: int) -> bytes:
    """The content of a GIF file with at most about 25 frames per second; others are dropped.

    Args:
        frames: At least one, all of the same shape.
        frames_per_second: Frame rate of `frames`.
    """
    content = io.BytesIO()
    _write_gif(iter(frames), content, frames_per_second)
    return content.getvalue()


def _write_gif(frames: Iterator[Frame], out: Path | BinaryIO, frames_per_second: int) -> None:
    every = max(1, round(frames_per_second / _GIF_FRAMES_PER_SECOND))
    # A separate palette per frame fits whatever comes into view, and costs less than a kilobyte.
    images = (
        Image.fromarray(frame).quantize(_GIF_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        for frame in islice(frames, 0, None, every)
    )
    next(images).save(
        out,
        "GIF",
        save_all=True,
        append_images=images,
        duration=round(1000 * every / frames_per_second),
        loop=0,
    )


def _write_mp4(frames: Iterator[Frame], path: Path, frames_per_second: int) -> None:
    import av  # an optional dependency: it brings FFmpeg

    first = next(frames)
    # Players expect chroma at half the resolution, so both sides have to be even.
    height, width = (side - side % 2 for side in first.shape[:2])
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=frames_per_second, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in chain([first], frames):
            pixels = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _write_still(frames: Iterator[Frame], path: Path, frames_per_second: int) -> None:
    last = next(frames)
    for frame in frames:
        last = frame
    Image.fromarray(last).save(path)


_WRITERS: dict[str, Callable[[Iterator[Frame], Path, int], None]] = {
    ".gif": _write_gif,
    ".mp4": _write_mp4,
    ".png": _write_still,
}

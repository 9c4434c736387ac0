"""Videos and stills of an episode: frames in, one file out."""

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
    """Write frames as they come, so that only a file's own form of them is held in memory.

    Args:
        frames: At least one, all of one shape.
        path: What to write: `.gif` (about 25 frames per second: others are left out), `.mp4` (H.264), or
            `.png` (the last frame).
        frames_per_second: How fast the frames are meant to be seen.

    Raises:
        ValueError: If the suffix is none of these.
    """
    require_video(path)
    _WRITERS[path.suffix.lower()](iter(frames), path, frames_per_second)


def require_video(path: Path) -> None:
    """Make sure that a file is one that `write_video` can write.

    Raises:
        ValueError: If its suffix is none of those, or needs PyAV, which is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError(f"{path} must end in one of {', '.join(_WRITERS)}")
    if suffix == ".mp4" and importlib.util.find_spec("av") is None:
        raise ValueError(f"{path}: .mp4 files need the extra 'video': pip install 'chiron-curricula[video]'")


def encode_gif(frames: Iterable[Frame], frames_per_second: int) -> bytes:
    """The content of a GIF file, of about 25 frames per second at most; others are left out.

    Args:
        frames: At least one, all of one shape.
        frames_per_second: How fast the frames are meant to be seen.
    """
    content = io.BytesIO()
    _write_gif(iter(frames), content, frames_per_second)
    return content.getvalue()


def _write_gif(frames: Iterator[Frame], out: Path | BinaryIO, frames_per_second: int) -> None:
    every = max(1, round(frames_per_second / _GIF_FRAMES_PER_SECOND))
    # A palette of its own for each frame: it holds whatever comes into view, and costs less than a kilobyte.
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
    # Players expect colours at half the resolution, so both sides have to be even.
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

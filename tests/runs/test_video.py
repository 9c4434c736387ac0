"""Videos and stills: written files can be read back, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from chiron.runs.video import Frame, write_video
from PIL import Image
from PIL.ImageSequence import all_frames


def frames(count: int, height: int = 40, width: int = 60) -> Iterator[Frame]:
    """A white bar that moves to the right over a blue background, one pixel per frame."""
    for index in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 2] = 200
        frame[:, index : index + 4] = 255
        yield frame


def test_gif_has_every_second_of_fifty_frames_per_second(tmp_path: Path) -> None:
    write_video(frames(21), tmp_path / "video.gif", 50)
    with Image.open(tmp_path / "video.gif") as video:
        assert video.size == (60, 40)
        assert len(all_frames(video)) == 11
        assert video.info["duration"] == 40
        assert video.info["loop"] == 0
        for shown, expected in zip(all_frames(video), list(frames(21))[::2], strict=True):
            np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), expected)


def test_gif_of_a_slow_env_has_every_frame(tmp_path: Path) -> None:
    write_video(frames(5), tmp_path / "video.gif", 10)
    with Image.open(tmp_path / "video.gif") as video:
        assert len(all_frames(video)) == 5
        assert video.info["duration"] == 100


def test_gif_keeps_the_colours_of_a_thing_that_comes_late(tmp_path: Path) -> None:
    last = np.full((40, 60, 3), (10, 250, 30), np.uint8)
    write_video([*frames(3), last], tmp_path / "video.gif", 25)
    with Image.open(tmp_path / "video.gif") as video:
        np.testing.assert_array_equal(np.asarray(all_frames(video)[-1].convert("RGB")), last)


# 4:2:0 halves both sides, so the sides of a video must be even.
@pytest.mark.parametrize(("height", "width"), [(40, 60), (41, 61)])
def test_mp4_has_every_frame_at_the_speed_of_the_env(tmp_path: Path, height: int, width: int) -> None:
    write_video(frames(30, height, width), tmp_path / "video.mp4", 50)
    with av.open(tmp_path / "video.mp4") as video:
        assert video.streams.video[0].average_rate == 50
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert len(shown) == 30
    for expected, frame in zip(frames(30, 40, 60), shown, strict=True):
        assert frame.shape == (40, 60, 3)
        assert np.abs(frame - expected).mean() < 12


def test_still_is_the_last_frame(tmp_path: Path) -> None:
    write_video(frames(7), tmp_path / "still.png", 50)
    with Image.open(tmp_path / "still.png") as still:
        np.testing.assert_array_equal(np.asarray(still), list(frames(7))[-1])


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"video.avi must end in one of .gif, .mp4, .png"):
        write_video(frames(1), tmp_path / "video.avi", 50)
    assert list(tmp_path.iterdir()) == []

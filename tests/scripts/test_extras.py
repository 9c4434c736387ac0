"""Features whose extra is missing are refused with the command that installs it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from chiron.runs.video import require_video
from chiron.scripts.refusal import as_sentence
from hydra.errors import MissingConfigException


@pytest.mark.parametrize(
    ("launcher", "extra"), [("joblib", "joblib"), ("submitit_slurm", "slurm"), ("ray", "ray")]
)
def test_a_launcher(launcher: str, extra: str) -> None:
    error = MissingConfigException("no such file", f"hydra/launcher/{launcher}", ["basic"])
    assert as_sentence(error) == (
        f"launcher={extra} needs the extra {extra!r}: pip install 'chiron-curricula[{extra}]'"
    )


def test_an_mp4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"out\.mp4: .* pip install 'chiron-curricula\[video\]'"):
        require_video(Path("out.mp4"))
    require_video(Path("out.gif"))

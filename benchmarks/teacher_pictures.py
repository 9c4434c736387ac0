"""Draws what a teacher proposed on the toy grid, for its page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from chiron import conf
from chiron.conf.build import build
from chiron.runs import plots
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Curriculum, Episode
from chiron.teachers.focus import Focus
from matplotlib.figure import Figure
from PIL import Image

_MOMENTS = (2_500, 5_000, 10_000, 20_000)
_SHOWN = 500
"""Number of proposals before each moment that are drawn."""
_COLORS = 64
"""Size of the palette, which keeps files small."""


def draw(name: str, path: Path, changed: Mapping[str, Any]) -> None:
    """Let a teacher teach the toy grid, and draw four moments of the run.

    Args:
        name: Name of the teacher in `conf/teacher`.
        path: File of the picture.
        changed: Arguments that override those of the teacher's configuration.
    """
    node = yaml.safe_load((Path(conf.__path__[0]) / "teacher" / f"{name}.yaml").read_text()) | changed
    student = ToyGrid()
    teacher = build(node)(space=student.task_space, seed=0)
    curriculum = Curriculum(teacher, student.info, seed=0)
    recent: list[Episode] = []
    figure = Figure(figsize=(9.6, 2.75), layout="constrained")
    for axes, moment in zip(figure.subplots(1, len(_MOMENTS), sharey=True), _MOMENTS, strict=True):
        student.learn(curriculum, moment - _SHOWN)
        focus: list[Focus] = teacher.focus()
        recent.clear()
        student.learn(curriculum, moment, recent.append)
        axes.imshow(
            student.competence_map.T,
            origin="lower",
            extent=(0, 1, 0, 1),
            cmap=plots.COMPETENCE,
            vmin=0,
            vmax=1.4,
        )
        tasks = np.array([episode.proposal for episode in recent])
        is_random = np.array([episode.source == "random" for episode in recent])
        plots.trace(axes, [(part.weight, plots.outline(part)) for part in focus], 1.0)
        plots.scatter(axes, plots.proposal_layers(tasks, is_random), 2.2)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        axes.set_title(
            f"{moment:,} episodes, {student.mastered_percent:.0f}% mastered", fontsize=9, color=plots.INK
        )
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    palette = Image.open(drawn).convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    palette.save(path, optimize=True)

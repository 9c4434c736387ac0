"""Pictures that are asked for when a run has finished already."""

from __future__ import annotations

from .run_directory import RunDirectory


def draw_missing_pictures(directory: RunDirectory) -> None:
    """Draw what the teacher of a finished run proposed, if that has not been drawn."""
    if not directory.still.exists():
        from .run_pictures import draw_teacher  # matplotlib, which a start-up does without

        draw_teacher(directory)

"""Draws pictures that are requested after a run has finished."""

from __future__ import annotations

from .run_directory import RunDirectory


def draw_missing_pictures(directory: RunDirectory) -> None:
    """Draw the tasks that the teacher of a finished run proposed, unless that has been done."""
    if not directory.still.exists():
        from .run_pictures import draw_teacher  # here for start-up time: it imports matplotlib

        draw_teacher(directory)

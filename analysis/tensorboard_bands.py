"""Writes the conditions of a comparison as runs for TensorBoard: their mean curves, each with its band."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from .comparison import Comparison
from .conditions import Condition

MEAN = "evaluation/mastered_percent"
"""Named like the curve of a single run, so that TensorBoard draws both in one chart."""

# A separate group, because TensorBoard would report that single runs have no band. It sorts after all others,
# so that the scalars tab begins with results.
_BAND = tuple(f"uncertainty/mastered_percent{end}" for end in ("", "_low", "_high"))
_LONGEST_NAME = 100
"""In characters; file systems allow 255 bytes."""
LAYOUT = {"Mean over seeds, with its 95% confidence band": {"Percentage mastered": ["Margin", list(_BAND)]}}


def write_bands(comparison: Comparison, folder: Path) -> list[Path]:
    """Write an event file for each condition that has a result.

    A condition with one seed has a mean but no band.

    Args:
        comparison: The comparison with the learning curves.
        folder: Folder in which each condition gets one; event files of an earlier comparison are removed.

    Returns:
        The conditions' folders, in the order of the comparison.
    """
    for old in folder.rglob("events.out.tfevents.*"):
        old.unlink()
    folders = [folder / name for name in _folder_names(comparison.counted)]
    for condition, path in zip(comparison.counted, folders, strict=True):
        writer: Any = SummaryWriter(path)
        writer.add_custom_scalars(LAYOUT)
        rows = comparison.curves[comparison.curves["condition"] == condition.label]
        for step, mean, margin in rows[["step", "mean", "margin"]].itertuples(index=False):
            writer.add_scalar(MEAN, mean, step)
            if not math.isnan(margin):
                band = mean, max(0.0, mean - margin), min(100.0, mean + margin)
                for tag, value in zip(_BAND, band, strict=True):
                    writer.add_scalar(tag, value, step)
        writer.close()
    return folders


def _folder_names(conditions: Sequence[Condition]) -> list[str]:
    """A folder name for each condition, derived from its label."""
    names: list[str] = []
    for condition in conditions:
        name = re.sub(r"[^\w.,=+-]+", "_", condition.label)
        if len(name) > _LONGEST_NAME or name.startswith(".") or name in names:
            name = f"{name[:_LONGEST_NAME].lstrip('.')}_{len(names)}"
        names.append(name)
    return names

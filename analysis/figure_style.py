"""Shared style of the figures of a comparison: pages, lines, names, frames."""

from __future__ import annotations

import math
import re
import textwrap
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from ..runs.teacher_styles import DASHES, Dashes, teacher_style
from .comparison import Comparison
from .conditions import Condition


class Page(NamedTuple):
    """The medium of a figure.

    Attributes:
        width: Width of a figure, inches.
        height: Height of a figure, inches.
        is_paper: Whether the legend is above the axes and omits the number of seeds.
    """

    width: float
    height: float
    is_paper: bool


REPORT = Page(11.4, 4.8, is_paper=False)
"""The report shows this width without scaling it down."""
PAPER = Page(3.25, 2.5, is_paper=True)
"""A column of a paper."""
_LEGEND_COLUMNS = 44
"""Characters after which a legend entry is wrapped."""
_PAPER_COLUMNS, _PAPER_LETTERS = 3, 50
"""Columns of the legend in a paper's figure, and characters after which an entry is wrapped."""
_PAPER_MARK, _PAPER_LETTER, _PAPER_ROW = 0.4, 0.055, 0.14
"""Sizes of a line sample, a letter and a row in that legend, inches."""
_LIGHTEST = 0.45
"""Colour strength of the last of several conditions with the same teacher."""


class NothingToDrawError(ValueError):
    """A figure would be empty; the message says why."""


class Line(NamedTuple):
    """Line style and legend entry of a condition."""

    condition: Condition
    name: str
    color: str
    dashes: Dashes


def lines_of(comparison: Comparison, page: Page) -> list[Line]:
    """Each drawn condition in the colour of its teacher, successively lighter if several share a teacher."""
    lines = []
    names = shown_names(comparison)
    for condition in comparison.drawn:
        style = teacher_style(condition.names["teacher"])
        same = sorted(
            (
                other.label
                for other in comparison.drawn
                if teacher_style(other.names["teacher"]).color == style.color
            ),
            key=_by_number,
        )
        place = same.index(condition.label)
        strength = 1 - (1 - _LIGHTEST) * place / max(1, len(same) - 1)
        red, green, blue = (1 - (1 - part) * strength for part in to_rgb(style.color))
        color = to_hex((red, green, blue))
        dashes = DASHES[(DASHES.index(style.dashes) + place) % len(DASHES)]
        lines.append(Line(condition, _entry(condition, names[condition.label], page), color, dashes))
    return lines


def shown_names(comparison: Comparison) -> dict[str, str]:
    """Display names of the conditions by label; the labels themselves if display names are not unique."""
    names = {condition.label: condition.display for condition in comparison.drawn}
    return names if len(set(names.values())) == len(names) else {label: label for label in names}


def finish(figure: Figure, axes: Axes, page: Page) -> None:
    """Add grid, frame and legend to a figure with a line for each condition."""
    bare(axes)
    if page.is_paper:
        rows = [row for name in axes.get_legend_handles_labels()[1] for row in name.split("\n")]
        room = page.width / (_PAPER_MARK + _PAPER_LETTER * max(map(len, rows), default=0))
        columns = min(max(int(room), 1), _PAPER_COLUMNS)
        figure.set_figheight(page.height + _PAPER_ROW * (math.ceil(len(rows) / columns) - 1))
        style: dict[str, Any] = {"frameon": False, "fontsize": 6.5, "columnspacing": 1}
        figure.legend(loc="outside upper center", ncols=columns, **style)
    else:
        figure.legend(loc="outside right upper", frameon=False, fontsize=10)


def bare(axes: Axes) -> None:
    """Draw a faint grid, and no frame at the top and right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _entry(condition: Condition, name: str, page: Page) -> str:
    # Matplotlib omits legend entries that start with an underscore.
    name = f" {name}" if name.startswith("_") else name
    if page.is_paper:
        return textwrap.fill(name, _PAPER_LETTERS)
    seeds = len(condition.counted)
    return textwrap.fill(f"{name} ({seeds} seed{'s' if seeds > 1 else ''})", _LEGEND_COLUMNS)


def _by_number(label: str) -> list[tuple[float, str]]:
    """Sort key that puts 0.001 before 0.01 and 9 before 10."""
    parts = re.split(r"(\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)", label)
    return [(float(part), "") if index % 2 else (0.0, part) for index, part in enumerate(parts)]

"""What all figures of a comparison have in common: pages, lines, names, frames."""

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
    """What figures are drawn for.

    Attributes:
        width: Of a figure, inches.
        height: Of a figure, inches.
        is_paper: Whether the legend stands above, and says nothing of seeds.
    """

    width: float
    height: float
    is_paper: bool


REPORT = Page(11.4, 4.8, is_paper=False)
"""The report shows as many inches without scaling them down."""
PAPER = Page(3.25, 2.5, is_paper=True)
"""A column of a paper."""
_LEGEND_COLUMNS = 44
"""Characters after which an entry of a legend is wrapped."""
_PAPER_COLUMNS, _PAPER_LETTERS = 3, 50
"""Entries beside each other in the legend of a paper's figure, and characters after which one is wrapped."""
_PAPER_MARK, _PAPER_LETTER, _PAPER_ROW = 0.4, 0.055, 0.14
"""Inches of a line, of a letter and of a row there."""
_LIGHTEST = 0.45
"""Strength of the colour of the last of several conditions with one teacher."""


class NothingToDrawError(ValueError):
    """A figure would be empty; the message says why."""


class Line(NamedTuple):
    """How a condition is drawn, and what its legend says."""

    condition: Condition
    name: str
    color: str
    dashes: Dashes


def lines_of(comparison: Comparison, page: Page) -> list[Line]:
    """Each drawn condition with the colour of its teacher; of several with one teacher, ever lighter ones."""
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
    """What readers call the conditions, by label; their labels, if they would not differ otherwise."""
    names = {condition.label: condition.display for condition in comparison.drawn}
    return names if len(set(names.values())) == len(names) else {label: label for label in names}


def finish(figure: Figure, axes: Axes, page: Page) -> None:
    """Grid, frame and legend of a figure with a line for each condition."""
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
    """A faint grid, and no frame above and on the right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _entry(condition: Condition, name: str, page: Page) -> str:
    # Matplotlib leaves out of its legends what begins with an underscore.
    name = f" {name}" if name.startswith("_") else name
    if page.is_paper:
        return textwrap.fill(name, _PAPER_LETTERS)
    seeds = len(condition.counted)
    return textwrap.fill(f"{name} ({seeds} seed{'s' if seeds > 1 else ''})", _LEGEND_COLUMNS)


def _by_number(label: str) -> list[tuple[float, str]]:
    """Sorts 0.001 before 0.01 and 9 before 10."""
    parts = re.split(r"(\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)", label)
    return [(float(part), "") if index % 2 else (0.0, part) for index, part in enumerate(parts)]

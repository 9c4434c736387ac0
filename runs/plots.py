"""Palette and building blocks of the pictures of a run, in matplotlib without pyplot.

Importing this module imports matplotlib, which takes a third of a second, so code that may never draw
imports it only where drawing begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ..teachers.focus import Focus, FocusBox
from .video import Frame

INK, SOFT, FRAME = "#1e242c", "#6e7680", "#bec4cc"
"""Colours of lines and text, less important text, and frames."""
RANDOM, CHOSEN, FOCUS = "#8c8c8c", "#d95f02", "#1f4e9c"
"""Colours of a teacher's tasks from the whole space, of tasks it chose, and of its boxes or Gaussians."""
MASTERED, NOT_MASTERED = "#1b7837", "#b296c0"
COMPETENCE = LinearSegmentedColormap.from_list("competence", ["white", MASTERED])
"""Colour map for values from 0 to 1."""
STEPS = EngFormatter(sep="")
"""Formats 1500000 as 1.5M on an axis."""

_DEVIATIONS = 2.0
"""Gaussians are drawn out to this many standard deviations."""

Line = NDArray[np.float64]
"""Points, shape (n, 2)."""


@contextmanager
def names_as_text() -> Iterator[None]:
    """Context in which `$` in the name of a parameter or a teacher does not start a formula."""
    with mpl.rc_context({"text.parse_math": False}):
        yield


class Layer(NamedTuple):
    """Tasks of one kind: a legend entry, a colour, and the tasks, shape (n, d)."""

    word: str
    color: str
    tasks: NDArray[np.floating]


def proposal_layers(tasks: NDArray[np.floating], is_random: NDArray[np.bool_]) -> list[Layer]:
    """Proposed tasks by their source; the chosen ones last, on top."""
    return [Layer("random", RANDOM, tasks[is_random]), Layer("chosen", CHOSEN, tasks[~is_random])]


def mastery_layers(tasks: NDArray[np.floating], mastered: NDArray[np.bool_]) -> list[Layer]:
    """Test tasks by whether they are mastered; the mastered ones last, on top."""
    return [
        Layer("not mastered", NOT_MASTERED, tasks[~mastered]),
        Layer("mastered", MASTERED, tasks[mastered]),
    ]


def scatter(axes: Axes, layers: Iterable[Layer], size: float) -> None:
    """Draw tasks of two parameters.

    Args:
        axes: Axes to draw on.
        layers: Layers to draw, bottom one first.
        size: Diameter of a point, in points.
    """
    for _, color, tasks in layers:
        axes.scatter(tasks[:, 0], tasks[:, 1], s=size**2, color=color, linewidths=0, clip_on=False, zorder=2)


def trace(axes: Axes, outlines: Iterable[tuple[float, Line]], width: float, opaque: bool = False) -> None:
    """Draw the focus of a teacher: the more probable a part, the darker its line.

    Args:
        axes: Axes to draw on.
        outlines: The weight and the outline of each part.
        width: Line width, in points.
        opaque: Whether lines hide what is below them. Faint lines then stay faint where they cross on a white
            background, but cover what would otherwise show through.
    """
    drawn = sorted(outlines, key=lambda pair: pair[0])
    strengths = 0.15 + 0.85 * np.array([weight for weight, _ in drawn]) / ((drawn and drawn[-1][0]) or 1.0)
    if opaque:
        colors = 1 - strengths[:, None] * (1 - np.array(to_rgb(FOCUS)))
    else:
        colors = np.array([to_rgba(FOCUS, strength) for strength in strengths])
    lines = LineCollection([line for _, line in drawn], colors=colors, linewidths=width, zorder=3)
    axes.add_collection(lines, autolim=False)


def outline(part: Focus) -> Line:
    """The closed line around a box of the plane, or around a Gaussian at two standard deviations."""
    if isinstance(part, FocusBox):
        return rectangle(part.low, part.high)
    turn = np.linspace(0, 2 * np.pi, 49)
    variances, directions = np.linalg.eigh(part.covariance)
    circle = _DEVIATIONS * np.stack([np.cos(turn), np.sin(turn)])
    points: Line = part.mean + (directions * np.sqrt(np.maximum(variances, 0)) @ circle).T
    return points


def extent(part: Focus) -> Line:
    """Ends of a part along each parameter, shape (2, d); of a Gaussian, at two standard deviations."""
    if isinstance(part, FocusBox):
        return np.stack([part.low, part.high])
    reach = _DEVIATIONS * np.sqrt(np.maximum(np.diag(part.covariance), 0))
    return np.stack([part.mean - reach, part.mean + reach])


def rectangle(low: ArrayLike, high: ArrayLike) -> Line:
    """The closed line around a rectangle given by two opposite corners."""
    (x0, y0), (x1, y1) = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])


def legend(owner: Axes | Figure, entries: Mapping[str, str], size: float, **place: Any) -> Legend:
    """Add a one-line legend of coloured dots with labels.

    Args:
        owner: Axes or figure that the legend is added to.
        entries: Colours by label.
        size: Size of the dots, in points.
        place: Position of the legend, as keyword arguments of matplotlib's `legend`.
    """
    dots = [
        Line2D([], [], marker="o", linestyle="", color=color, markersize=size) for color in entries.values()
    ]
    style: dict[str, Any] = {
        "frameon": False,
        "handlelength": 0.7,
        "handletextpad": 0.5,
        "columnspacing": 1.4,
    }
    return owner.legend(dots, list(entries), ncols=len(dots), **style, **place)


def axis_label(name: str, units: Mapping[str, str]) -> str:
    """Label of a task parameter's axis: its name in words, and its unit if it has one.

    Args:
        name: Name of the column.
        units: Units by column.
    """
    words = name.replace("_", " ").strip() or name
    return f"{words} ({times(units[name])})" if units.get(name) else words


def times(unit: str) -> str:
    """A unit as written after a number: `m`, but `× 0.467 m`."""
    return f"× {unit}" if unit[:1].isdigit() else unit


def count_steps(axes: Axes) -> None:
    """Make the x axis of a panel show training steps, with few enough ticks that labels do not overlap."""
    axes.set_xlabel("training steps")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(STEPS)


def panels(count: int, across: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows of about equal length.

    Args:
        count: Number of panels.
        across: Most panels per row.
        width: Width of a panel, inches.
        height: Height of a panel, inches.
    """
    down = math.ceil(count / across)
    across = math.ceil(count / down)
    figure = Figure(figsize=(width * across, height * down), layout="constrained")
    made = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in made[count:]:
        axes.remove()
    return figure, made[:count]


def pixels(figure: Figure) -> Frame:
    """A figure rendered as pixels, shape (height, width, 3)."""
    canvas: Any = FigureCanvasAgg(figure)  # untyped in matplotlib
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()

"""Time of a run, by phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

EVALUATION = "evaluation"
PHASES = {
    "physics": "#1b7837",
    "choosing actions": "#2166ac",
    "update": "#92c5de",
    "normalisation": "#fdb863",
    "bookkeeping": "#e08214",
    "curriculum": "#c2a5cf",
    "teacher": "#762a83",
    EVALUATION: "#bababa",
}
"""Phases of a run, and their colours."""


class Phases:
    """Adds up time by phase; in nested calls, the innermost phase counts.

    Args:
        clock: Returns seconds: wall-clock time, or CPU time of this thread.

    Attributes:
        seconds: Seconds by phase.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._clock = clock
        self._open: list[str] = []
        self._since = 0.0

    def watch(self, owner: Any, method: str, phase: str) -> None:
        """Count calls of an object's method as a phase."""
        setattr(owner, method, self.watched(phase, getattr(owner, method)))

    def watched(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its calls counted as a phase."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._credit()
            self._open.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self._credit()
                self._open.pop()

        return call

    def _credit(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


def draw_phases(path: Path, profiles: Mapping[str, Mapping[str, float]]) -> None:
    """Draw one bar per run, divided by phase.

    Args:
        path: File of the picture.
        profiles: Microseconds per decision, by run and phase.
    """
    figure = Figure(figsize=(10, 1 + 0.8 * len(profiles)), layout="constrained")
    axes = figure.subplots()
    lefts = dict.fromkeys(profiles, 0.0)
    total = max(sum(shares.values()) for shares in profiles.values())
    for phase, colour in PHASES.items():
        for name, shares in profiles.items():
            width = shares.get(phase, 0.0)
            label = phase if phase not in axes.get_legend_handles_labels()[1] else None
            bars = axes.barh(name, width, left=lefts[name], color=colour, label=label)
            if width > total / 25:
                axes.bar_label(bars, [f"{width:.0f}"], label_type="center")
            lefts[name] += width
    axes.invert_yaxis()
    axes.set_xlabel("microseconds of one decision (two frames of the env)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(PHASES), frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)

"""Exports a comparison for a paper: vector figures in column width, a LaTeX table, results by seed."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from ..evaluation.metrics import area_under_curve
from ..runs import plots
from .comparison import Comparison
from .comparison_figures import draw_learning_curves, draw_profiles, draw_return_curves
from .figure_style import PAPER, NothingToDrawError
from .statistics import FEWEST_SEEDS_OF_AN_INTERVAL, plus_minus

_FIGURES = {
    "learning_curves": draw_learning_curves,
    "return_curves": draw_return_curves,
    "performance_profiles": draw_profiles,
}
STYLE: Any = {  # typed key by key in matplotlib
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # text that can be searched and edited
}
"""Matplotlib settings for figures in papers."""


def write_paper(comparison: Comparison, folder: Path, rng: np.random.Generator) -> None:
    """Write `*.pdf`, `table.tex` and `seeds.csv` to a folder.

    Args:
        comparison: The comparison.
        folder: Folder to write to, created if absent; files of an earlier comparison are replaced.
        rng: Draws the bootstrap resamples of the bands in figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in _FIGURES.items():
        path = folder / f"{name}.pdf"
        path.unlink(missing_ok=True)
        with plots.names_as_text(), mpl.rc_context(STYLE):
            try:
                figure = draw(comparison, rng, PAPER)
            except NothingToDrawError:
                continue
            figure.savefig(path, metadata={"CreationDate": None})
    (folder / "table.tex").write_text(_table(comparison))
    _seeds(comparison).to_csv(folder / "seeds.csv", index=False)


def _table(comparison: Comparison) -> str:
    """A table in the style of booktabs."""
    rows = [_cells(comparison, index) for index in range(len(comparison.counted))]
    headings = list(rows[0])
    lines = [
        "% needs \\usepackage{booktabs}; in a paper of two columns, it stands in a table* over both",
        f"\\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
        "\\toprule",
        " & ".join(headings) + r" \\",
        "\\midrule",
        *(" & ".join(row.values()) + r" \\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _cells(comparison: Comparison, index: int) -> dict[str, str]:
    condition, row = comparison.counted[index], comparison.table.iloc[index]
    cells = {
        "": _escaped(condition.display),
        "Seeds": str(row["seeds"]),
        r"Mastered (\%)": _mean(row, "mastered"),
        "IQM": f"{row['mastered_iqm']:.1f}",
    }
    low, high = row["mastered_iqm_low"], row["mastered_iqm_high"]
    if low < high and row["seeds"] >= FEWEST_SEEDS_OF_AN_INTERVAL:
        cells["IQM"] += f" [{low:.1f}, {high:.1f}]"
    if "return_mean" in comparison.table:
        cells["Return"] = _mean(row, "return")
    if "threshold" in comparison.table:
        cells[f"Return $>$ {comparison.table['threshold'].max():g} (\\%)"] = _mean(row, "above")
    if comparison.baselines:
        p = row.get("p_holm", math.nan)
        cells["$p$ (Holm)"] = "--" if math.isnan(p) else "$<$ 0.001" if p < 0.001 else f"{p:.3f}"
    return cells


def _mean(row: Any, name: str) -> str:
    mean = row[f"{name}_mean"]
    return "--" if math.isnan(mean) else plus_minus(mean, row[f"{name}_sd"], 1).replace("±", r"$\pm$")


def _escaped(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\~^&%$#_{}]", lambda found: special.get(found[0], f"\\{found[0]}"), text)


def _seeds(comparison: Comparison) -> pd.DataFrame:
    """One row per counted run."""
    return pd.DataFrame(
        {
            "condition": condition.label,
            **condition.names,
            "seed": run.seed,
            "steps": int(run.mastery.index[-1]),
            "mastered_percent": run.score,
            "area": area_under_curve(run.mastery.index, run.mastery),
            "return_mean": math.nan if run.last is None else float(run.last["return"].mean()),
        }
        for condition in comparison.counted
        for run in condition.counted
    )

"""The report of a comparison: a self-contained HTML file, plus tables and figures as separate files."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..runs import plots
from ..runs.checked_files import PICTURE_BYTES, DamagedFileError, read_picture, reading
from . import NAMES
from .comparison import MOST_DRAWN, Comparison, listed
from .comparison_figures import FIGURES
from .conditions import Condition
from .figure_style import NothingToDrawError
from .reproduction import command_of
from .score_matrix import matrix_tables
from .significance import SIGNIFICANCE_LEVEL
from .statistics import FEWEST_SEEDS_OF_AN_INTERVAL, plus_minus, with_interval
from .study import COMPONENTS, LeftOut
from .task_bands import band_cells

_TEMPLATE = "comparison_report.html"
_QUARTERS = 4
_SHOWN = 0.05
"""Differences below this (percentage points) may vanish when rounded to one decimal."""
_MOST_COLUMNS = 12
"""Most columns of a table in the normal font size."""
_SVG_IDS = "comparison"
"""Salt for the identifiers in SVG figures, so that the same comparison gives the same file."""


def write_report(
    comparison: Comparison,
    title: str,
    folder: Path,
    rng: np.random.Generator,
) -> Path:
    """Write the report of a comparison to a folder.

    `report.html` is complete and self-contained. Written beside it: `table.csv`, `curves.csv`, `bands.csv`,
    `comparison.json` and the figures as PNG.

    Args:
        comparison: The comparison to report.
        title: Title of the report.
        folder: Folder to write to; created if absent.
        rng: Draws the bootstrap resamples of the bands in figures.

    Returns:
        The path of `report.html`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curricula = [_curriculum(condition, comparison.notes) for condition in comparison.drawn]
    comparison.table.to_csv(folder / "table.csv", index=False)
    comparison.curves.to_csv(folder / "curves.csv", index=False)
    comparison.bands.to_csv(folder / "bands.csv", index=False)
    content = {
        "notes": comparison.notes,
        "conditions": _records(comparison.table),
        "pairs": _records(comparison.pairs),
    }
    (folder / "comparison.json").write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    page = _template().render(
        title=title,
        comparison=comparison,
        headline=headline(comparison),
        facts=_facts(comparison),
        table=result_cells(comparison),
        judged_on=_judged_on(comparison),
        over_time=over_time_cells(comparison),
        matrices=matrix_tables(comparison),
        bands=band_cells(_bands_of_drawn(comparison)),
        figures=_draw(comparison, folder, rng),
        curricula=curricula,
        most_drawn=MOST_DRAWN,
        most_columns=_MOST_COLUMNS,
        names=NAMES,
        commands=[(condition.label, command_of(condition.runs)) for condition in comparison.conditions],
        runs=[
            (condition.label, run, command_of([run]))
            for condition in comparison.conditions
            for run in condition.runs
        ],
        versions=_versions(comparison),
        shared=_shared_settings(comparison),
    )
    report = folder / "report.html"
    # Folder names may contain bytes that are not valid text.
    report.write_text(page, encoding="utf-8", errors="backslashreplace")
    return report


def result_cells(comparison: Comparison) -> list[dict[str, str]]:
    """The formatted result table: one dict per condition from heading to text, all with the same headings."""
    others = list(dict.fromkeys(comparison.baselines.values()))
    rows = []
    for row in _records(comparison.table):
        cells = {
            "condition": row["condition"],
            "seeds": f"{row['seeds']} of {row['runs']}" if row["seeds"] < row["runs"] else f"{row['seeds']}",
            "steps": _text(row.get("steps"), "{:,.0f}"),
            "mastered %": _with_sd(row, "mastered", 1),
            "IQM [95%]": _with_interval(row, "mastered_iqm", "mastered_iqm", 1),
            "area": _with_sd(row, "area", 1),
        }
        if "return_mean" in comparison.table:
            cells["return"] = _with_sd(row, "return", 1)
        if "threshold" in comparison.table:
            threshold = float(comparison.table["threshold"].dropna().iloc[0])
            cells[f"return > {threshold:g} (%)"] = _with_sd(row, "above", 1)
        if "worst_return_mean" in comparison.table:
            mark = "" if row.get("worst_judged_on") != "the same episodes" else " *"
            cells["worst 10% return"] = _with_sd(row, "worst_return", 1) + mark
        if comparison.baselines:
            if len(others) > 1:
                cells["against"] = row.get("baseline") or "–"
            cells |= {
                "difference" if len(others) > 1 else f"vs {others[0]}": _text(
                    row.get("difference"), "{:+.1f}"
                ),
                "p (Holm)": _p_text(row.get("p_holm")),
                "P(better) [95%]": _with_interval(row, "improvement", "improvement", 2),
            }
        rows.append(cells)
    return rows


def over_time_cells(comparison: Comparison) -> list[dict[str, str]]:
    """Mastered percentage (mean ± SD) at each quarter of the steps, in the format of `result_cells`."""
    curves = comparison.curves
    steps = np.sort(curves["step"].unique())
    shown = dict.fromkeys(
        int(steps[round((len(steps) - 1) * i / _QUARTERS)]) for i in range(1, _QUARTERS + 1)
    )
    rows = []
    for condition in comparison.counted:
        own = curves[curves["condition"] == condition.label].set_index("step")
        at = {
            f"{step:,}": plus_minus(own["mean"][step], own["sd"][step], 1) if step in own.index else "–"
            for step in shown
        }
        rows.append({"condition": condition.label, **at})
    return rows


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python values, with None for missing ones."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _with_sd(row: Mapping[str, Any], name: str, digits: int) -> str:
    mean = row.get(f"{name}_mean")
    return "–" if mean is None else plus_minus(mean, row.get(f"{name}_sd"), digits)


def _with_interval(row: Mapping[str, Any], value: str, ends: str, digits: int) -> str:
    if row.get(value) is None:
        return "–"
    # With fewer seeds the interval is not a meaningful measure of uncertainty.
    says_something = row["seeds"] >= FEWEST_SEEDS_OF_AN_INTERVAL
    low, high = (row.get(f"{ends}_{end}") if says_something else None for end in ("low", "high"))
    return with_interval(row[value], low, high, digits)


def _p_text(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def headline(comparison: Comparison) -> str:
    """The main result, in two sentences at most."""
    best, *others = comparison.counted
    equals = [other.label for other in others if best.scores.mean() - other.scores.mean() < _SHOWN]
    if equals:
        labels = listed([best.label, *equals])
        return f"{labels} mastered equally many of the test tasks: {best.scores.mean():.1f}% on average."
    row = next(row for row in _records(comparison.table) if row["condition"] == best.label)
    sentence = f"{best.label} mastered most: {_with_sd(row, 'mastered', 1)}% of the test tasks"
    if row.get("baseline") is None:
        return f"{sentence}."
    p = row["p_holm"]
    if p is None:
        verdict = "which cannot be tested with these seeds"
    else:
        verdict = f"which is {'' if p < SIGNIFICANCE_LEVEL else 'not '}significant (p {_compared(p)}, Holm)"
    points = f"{abs(row['difference']):.1f} percentage points"
    side = "less" if row["difference"] < 0 else "more"
    return f"{sentence}. That is {points} {side} than {row['baseline']}, {verdict}."


def _judged_on(comparison: Comparison) -> str | None:
    """The episodes that the worst tasks were judged on; None if there are no tasks."""
    if "worst_judged_on" not in comparison.table:
        return None
    return str(comparison.table["worst_judged_on"].iloc[0])


def _compared(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    """Key facts about the compared runs, as (heading, text)."""
    runs = [run for condition in comparison.counted for run in condition.counted]
    names = {group: list(dict.fromkeys(run.names[group] for run in runs)) for group in COMPONENTS}
    budgets = sorted({run.total_steps for run in runs})
    seeds = sorted({run.seed for condition in comparison.conditions for run in condition.runs})
    simulated = [run.is_simulated for run in runs]
    tasks = sorted({len(run.last) for run in runs if run.last is not None})
    test_set = "every cell of the simulated student" if all(simulated) else _or(tasks, "{:,} tasks")
    drawn = sorted({run.config["evaluation.seed"] for run in runs if not run.is_simulated})
    if drawn:
        test_set += f", drawn uniformly with evaluation.seed={_or(drawn, '{}')}"
    counted, total = len(runs), sum(len(condition.runs) for condition in comparison.conditions)
    return [
        ("Env", ", ".join(names["env"])),
        ("Student", ", ".join(names["student"])),
        ("Teacher", ", ".join(names["teacher"])),
        ("Budget", _or(budgets, "{:,} training steps")),
        ("Test set", test_set),
        ("Seeds", ", ".join(map(str, seeds))),
        ("Runs", f"{counted} counted of {total}"),
    ]


def _bands_of_drawn(comparison: Comparison) -> pd.DataFrame:
    bands = comparison.bands
    labels = [condition.label for condition in comparison.drawn]
    return bands if bands.empty else bands[bands["condition"].isin(labels)]


def _or(values: Sequence[Any], form: str) -> str:
    return " or ".join(form.format(value) for value in values)


def _draw(comparison: Comparison, folder: Path, rng: np.random.Generator) -> dict[str, dict[str, str]]:
    """Draw each figure as a PNG file and as SVG for the page, or say why there is nothing to draw."""
    drawn = {}
    for name, draw in FIGURES.items():
        png = folder / f"{name}.png"
        png.unlink(missing_ok=True)
        svg = io.BytesIO()
        with plots.names_as_text(), mpl.rc_context({"svg.hashsalt": _SVG_IDS}):
            try:
                figure = draw(comparison, rng)
            except NothingToDrawError as error:
                drawn[name] = {"absent": str(error)}
                continue
            figure.savefig(png, dpi=120)
            figure.savefig(svg, format="svg", metadata={"Date": None})
        drawn[name] = {"image": _data_uri(svg.getvalue(), "image/svg+xml")}
    return drawn


def _curriculum(condition: Condition, notes: list[str]) -> dict[str, Any]:
    """The pictures of a condition's run with the median score; unusable ones are noted."""
    middle = condition.middle
    images = []
    for picture in (middle.directory.figure, middle.directory.still):
        try:
            middle.directory.require_unchanged(picture)
            if picture.exists():
                with reading(picture, middle.directory.path, PICTURE_BYTES) as file:
                    images.append(_data_uri(read_picture(file), "image/png"))
        except DamagedFileError as error:
            notes.append(LeftOut(f"{error}; it is left out of the report"))
    return {"label": condition.label, "seed": middle.seed, "score": middle.score, "images": images}


def _versions(comparison: Comparison) -> list[str]:
    """The software that the runs used: one line per distinct installation."""
    runs = [run for condition in comparison.conditions for run in condition.runs]
    return list(dict.fromkeys(run.versions for run in runs if run.versions is not None))


def _shared_settings(comparison: Comparison) -> list[tuple[str, str]]:
    runs = [run for condition in comparison.counted for run in condition.counted]
    first = runs[0].config
    shared = [key for key in first if all(run.config.get(key, ...) == first[key] for run in runs)]
    return [(key, json.dumps(first[key], default=str).strip('"')) for key in shared]


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _template() -> Any:
    loader = PackageLoader("chiron.analysis", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(_TEMPLATE)

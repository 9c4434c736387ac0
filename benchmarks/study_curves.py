"""Stores what the students of a study mastered during training, one row per run, in a small file.

    python -m benchmarks.study_curves results/studies/stump_tracks results/studies/headway_stump_tracks \
        --out docs/studies/stump_tracks/curves.csv

The tables and curves of the registered studies are made from such a file, or from the folders of the runs.
Runs that are already in the file are kept, so that a study can be continued on a machine without its first
runs; a run that is in both must be identical. `--until` ends all curves at a step; runs that have been
evaluated there count even if they have not finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from chiron.analysis.study import COMPONENTS, StudyRun, read_study
from chiron.evaluation.metrics import area_under_curve
from chiron.runs.run_directory import mastery_in

from benchmarks.command_line import parser_of

_DECIMALS = 4
"""Of the stored percentages and returns."""
_KEYS = ("study", *COMPONENTS, "seed", "total_steps")
_CURVES = ("mastered", "return")


class Curves(NamedTuple):
    """What the students of some runs mastered during training.

    Attributes:
        runs: One row per run, by its name: the columns `study`, `env`, `teacher`, `student`, `seed` and
            `total_steps`; every setting of its env by its dotted key, and others that differ between runs of
            one teacher; `mastered_percent` at the end and `area` under its curve; `problem`, a sentence on
            why the run does not count, or None.
        mastered: Percentage of the test tasks mastered, by run and step; NaN where a run was not evaluated.
        returns: Mean return on the test tasks, likewise; NaN also for simulated students.
    """

    runs: pd.DataFrame
    mastered: pd.DataFrame
    returns: pd.DataFrame


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("study_curves", __doc__)
    parser.add_argument("studies", nargs="+", type=Path, help="folders of results")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    parser.add_argument("--until", type=int, metavar="STEP", help="end all curves at this step")
    options = parser.parse_args(arguments)
    kept: Path = options.out
    try:
        curves = read_curves(*options.studies, *([kept] if kept.exists() else []), until=options.until)
    except ValueError as error:
        parser.error(str(error))
    unfinished = curves.runs["problem"].dropna()
    for run, problem in unfinished.items():
        print(f"{run} is not kept: {problem}")
    write_curves(curves, kept)
    print(f"{kept}: {len(curves.runs) - len(unfinished)} runs")


def read_curves(*paths: Path, until: int | None = None, teachers: Iterable[str] = ()) -> Curves:
    """Read what students mastered during training.

    Args:
        paths: Folders that hold runs, and files written by `write_curves`.
        until: A step at which all curves end; runs that have been evaluated there count, finished or not.
        teachers: Teachers that must have runs.

    Raises:
        ValueError: If there is no run, or none of one of these teachers, a file has another format, or a run
            differs between two of the paths.
    """
    folders = [path for path in paths if path.suffix != ".csv"]
    sources = [_kept_in(path) for path in paths if path.suffix == ".csv"]
    if folders:
        sources.append(_trained_in(folders))
    runs: dict[str, _Run] = {}
    for name, run in chain.from_iterable(source.items() for source in sources):
        if until is not None:
            run = run.until(until)
        known = runs.setdefault(name, run)
        if known.problem is None and run.problem is None and not run.ended_as(known):
            raise ValueError(
                f"{name} has other results in one of {', '.join(map(str, paths))} than in another"
            )
        if known.problem is not None:
            runs[name] = run
    table = pd.DataFrame([{**run.settings, **run.ends(), "problem": run.problem} for run in runs.values()])
    if missing := sorted({*teachers} - set(table["teacher"])):
        raise ValueError(f"no run of {', '.join(missing)} in {', '.join(map(str, paths))}")
    mastered, returns = (
        pd.DataFrame([run.curves.get(curve, {}) for run in runs.values()], index=list(runs)).sort_index(
            axis=1
        )
        for curve in _CURVES
    )
    return Curves(table.set_index(pd.Index(list(runs))), mastered, returns)


def write_curves(curves: Curves, path: Path) -> None:
    """Write the runs that count, in the order of their names."""
    counted = curves.runs[curves.runs["problem"].isna()]
    kept = counted.drop(columns=["problem", "mastered_percent", "area"])
    for name, table in zip(_CURVES, (curves.mastered, curves.returns), strict=True):
        kept = kept.join(table.add_prefix(f"{name}@"))
    kept.sort_index().dropna(axis=1, how="all").to_csv(path, index_label="run")


class _Run(NamedTuple):
    settings: Mapping[str, Any]
    curves: Mapping[str, Mapping[int, float]]
    problem: str | None = None

    def until(self, step: int) -> _Run:
        """The run up to a step, if it was evaluated there; otherwise one that does not count."""
        if step not in self.curves.get("mastered", {}):
            return self._replace(problem=self.problem or f"not evaluated after {step:,} steps")
        curves = {
            name: {at: value for at, value in curve.items() if at <= step}
            for name, curve in self.curves.items()
        }
        return self._replace(curves=curves, problem=None)

    def ended_as(self, other: _Run) -> bool:
        return all(self.curves.get(curve) == other.curves.get(curve) for curve in _CURVES)

    def ends(self) -> dict[str, float]:
        mastered = self.curves.get("mastered")
        if not mastered:
            return {"mastered_percent": np.nan, "area": np.nan}
        steps, values = list(mastered), list(mastered.values())
        return {"mastered_percent": values[-1], "area": area_under_curve(steps, values)}


def _kept_in(path: Path) -> dict[str, _Run]:
    try:
        table = pd.read_csv(path, index_col="run")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    names = [str(name) for name in table]
    if missing := {*_KEYS, "mastered@0"} - set(names):
        raise ValueError(f"{path} has no column {min(missing)}: it is not a file of study_curves")
    runs = {}
    for run, row in zip(table.index, table.to_dict("records"), strict=True):
        curves: dict[str, dict[int, float]] = {}
        for name in names:
            curve, at, step = name.partition("@")
            if at and not np.isnan(row[name]):
                curves.setdefault(curve, {})[int(step)] = round(row[name], _DECIMALS)
        runs[str(run)] = _Run({name: row[name] for name in names if "@" not in name}, curves)
    return runs


def _trained_in(folders: Sequence[Path]) -> dict[str, _Run]:
    found, notes = read_study(*folders)
    if not found:
        raise ValueError("; ".join(notes))
    settings = _settings(found)
    runs = {}
    for run in found:
        curves: dict[str, pd.Series[float]] = {}
        if run.evaluations is not None:
            curves["mastered"] = mastery_in(run.evaluations)
            if "return" in run.evaluations:
                curves["return"] = run.evaluations.groupby("step")["return"].mean()
        keys = {"study": run.study, **run.names, "seed": run.seed, "total_steps": run.total_steps}
        runs[_name(run)] = _Run(
            keys | {key: run.config.get(key) for key in settings},
            {
                name: dict(zip(curve.index.to_list(), curve.round(_DECIMALS).to_list(), strict=True))
                for name, curve in curves.items()
            },
            run.problem,
        )
    return runs


def _settings(runs: Sequence[StudyRun]) -> list[str]:
    """Settings of envs, and settings that differ between runs of one teacher."""
    values: dict[str, dict[str, set[str]]] = {}
    for run in runs:
        for key, value in run.config.items():
            values.setdefault(key, {}).setdefault(run.names["teacher"], set()).add(repr(value))
    differing = {key for key, of in values.items() if any(len(found) > 1 for found in of.values())}
    return [
        key
        for key in values
        if key not in (*_KEYS, "results") and (key.startswith("env.") or key in differing)
    ]


def _name(run: StudyRun) -> str:
    """`studies/stump_tracks/stump_tracks/alp_gmm/ppo/seed100`, wherever the results folder is."""
    path = run.directory.path.resolve().as_posix()
    _, is_below, rest = path.partition(f"/{run.study}/")
    return f"{run.study}/{rest}" if is_below else path


if __name__ == "__main__":
    main()

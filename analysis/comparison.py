"""Compares conditions: their results, the uncertainty of these, and which differ significantly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.metrics import area_under_curve
from .conditions import Condition, find_conditions, require_fairness, rest_of, setting_of
from .significance import holm, probability_of_improvement, probability_of_improvement_interval, welch_p_value
from .statistics import (
    interquartile_mean,
    interquartile_mean_interval,
    mean_and_sd,
    mean_margin,
)
from .study import LeftOut, StudyRun, as_of
from .task_bands import task_bands
from .worst_tasks import judge_of, worst_return

MOST_DRAWN = 16
"""Most conditions that can be told apart in a figure."""
_USUAL_BASELINE = "random"
_FEWEST_SEEDS = 5
"""Fewest seeds for which the coverage of a bootstrap interval is within two percent of its nominal value."""
_MOST_LISTED = 6
"""Most labels in one sentence."""


@dataclass(frozen=True)
class Choice:
    """Options of a comparison.

    Attributes:
        by_study: Whether runs of different studies are different conditions.
        only: Conditions to keep; see `find_conditions`.
        without: Conditions to leave out.
        at: The training step whose evaluation is compared; None for the last.
        threshold: An additional return threshold; the share of test tasks above it is reported too.

    Raises:
        ValueError: If the threshold is not finite.
    """

    by_study: bool = False
    only: Sequence[str] = ()
    without: Sequence[str] = ()
    at: int | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ValueError(f"--threshold {self.threshold} must be a return, a finite number")


@dataclass
class Comparison:
    """The result of `compare`.

    Attributes:
        conditions: The compared conditions, best first; those without a counted run last.
        baselines: Label of each condition's baseline, by the condition's label; may be empty.
        table: One row per condition; see `docs/comparing.md` for the columns.
        pairs: One row per pair of conditions with counted runs and the same env, budget and test set:
            `condition`, `other`, `difference` of the means, `p_value` of Welch's test, `p_holm` corrected
            over all pairs.
        curves: One row per condition and step: `condition`, `step`, `seeds`, `mean`, `sd`, `margin`.
        notes: Warnings, one sentence each; a `LeftOut` if something finished is left out.
    """

    conditions: list[Condition]
    baselines: dict[str, str]
    table: pd.DataFrame
    pairs: pd.DataFrame
    curves: pd.DataFrame
    notes: list[str]

    @cached_property
    def bands(self) -> pd.DataFrame:
        """Mastery and training episodes in each band of each task parameter; see `task_bands`."""
        return task_bands(self.counted, self.notes)

    @property
    def counted(self) -> list[Condition]:
        """The conditions that have a result."""
        return [condition for condition in self.conditions if condition.counted]

    @property
    def drawn(self) -> list[Condition]:
        """The conditions shown in figures: the best ones, and the baseline if all share it."""
        counted, baselines = self.counted, set(self.baselines.values())
        rest = counted[MOST_DRAWN:]
        return counted[:MOST_DRAWN] + [condition for condition in rest if {condition.label} == baselines]


def compare(
    runs: Sequence[StudyRun],
    rng: np.random.Generator | None = None,
    baseline: str | None = None,
    allowed: Iterable[str] = (),
    choice: Choice | None = None,
) -> Comparison:
    """Group runs into conditions and compare these.

    Args:
        runs: Runs returned by `read_study`.
        rng: Draws the bootstrap resamples; seeded with 0 by default.
        baseline: Label, teacher or study of the condition to test the others against; by default Random if
            there is one, or else the last of several studies. A teacher's name selects its condition that
            differs in nothing else, or else the one with the same budget, env and test set; the same holds
            for the name of a study.
        allowed: Members of `DIFFERENCES` in which the runs may differ.
        choice: Which conditions are compared, at which step, and with which extra threshold.

    Raises:
        ValueError: If there is nothing to compare, the runs are not comparable, the baseline is not one of
            the conditions, or no run was evaluated at the chosen step.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    choice = choice or Choice()
    if choice.at is not None:
        runs = _all_as_of(runs, choice.at)
    if choice.by_study:
        runs = [replace(run, names={"study": run.study, **run.names}) for run in runs]
    conditions, notes = find_conditions(runs, choice.only, choice.without)
    counted = sorted(
        (condition for condition in conditions if condition.counted),
        key=lambda condition: -condition.scores.mean(),
    )
    notes += [sentence for condition in conditions for sentence in _gaps(condition)]
    notes += _missing(conditions)
    if not counted:
        raise ValueError("; ".join(["no run has a result to compare", *notes]))
    notes += require_fairness(counted, allowed)
    baselines, unclear = _find_baselines(counted, baseline, runs[-1].study if runs else "")
    notes += unclear
    notes += _doubts(counted)
    if len(counted) > MOST_DRAWN:
        notes.append(
            f"{len(counted)} conditions: figures show the best {MOST_DRAWN} (and what all are tested "
            "against), tables all of them; --only chooses others"
        )
    judge, episodes, doubts = judge_of(counted)
    notes += doubts
    rows = [_row(condition, judge, episodes, rng) | _returns(condition, choice) for condition in counted]
    _add_tests(rows, counted, baselines, rng)
    without = [condition for condition in conditions if not condition.counted]
    rows += [_names(condition) for condition in without]
    return Comparison(
        counted + without, baselines, pd.DataFrame(rows), _pairs(counted), _curves(counted), notes
    )


def _all_as_of(runs: Sequence[StudyRun], step: int) -> list[StudyRun]:
    found = [as_of(run, step) for run in runs]
    tested = sorted({int(at) for run in runs for at in run.mastery.index})
    if tested and step not in tested:
        near = ", ".join(f"{at:,}" for at in sorted(sorted(tested, key=lambda at: abs(at - step))[:4]))
        raise ValueError(f"--at {step}: no run was tested after {step:,} steps; the nearest are {near}")
    return found


def _returns(condition: Condition, choice: Choice) -> dict[str, float]:
    """Mean return over the test tasks, and the share of them above a threshold; empty if simulated."""
    tables = [run.last["return"] for run in condition.counted if run.last is not None]
    if not tables:
        return {}
    row = dict(zip(("return_mean", "return_sd"), mean_and_sd([t.mean() for t in tables]), strict=True))
    if choice.threshold is not None:
        shares = [100 * (table > choice.threshold).mean() for table in tables]
        row |= dict(zip(("above_mean", "above_sd"), mean_and_sd(shares), strict=True))
        row["threshold"] = choice.threshold
    return row


def _gaps(condition: Condition) -> list[str]:
    sentences = []
    for run in condition.runs:
        if run.problem is not None:
            # Unfinished runs are expected; finished runs that cannot be counted are not.
            kind = LeftOut if run.is_finished else str
            said = f"{condition.label}, seed {run.seed}, is not counted: {run.problem} ({run.directory.path})"
            sentences.append(kind(said))
        sentences += run.faults
    return sentences


def _missing(conditions: Sequence[Condition]) -> list[str]:
    """Sentences about missing seeds, one for all conditions that lack the same ones."""
    lacking: dict[tuple[int, ...], list[str]] = {}
    for condition in conditions:
        if condition.missing:
            lacking.setdefault(tuple(condition.missing), []).append(condition.label)
    return [
        f"{listed(labels)} {'has' if len(labels) == 1 else 'have'} no run with seed "
        f"{', '.join(map(str, seeds))}, which other conditions have"
        for seeds, labels in lacking.items()
    ]


def listed(labels: Sequence[str]) -> str:
    """A list of conditions for a sentence, shortened to "a, b, c and 7 others" if there are many."""
    if len(labels) <= _MOST_LISTED:
        return ", ".join(labels)
    return f"{', '.join(labels[: _MOST_LISTED - 1])} and {len(labels) - _MOST_LISTED + 1} others"


def _doubts(counted: Sequence[Condition]) -> list[str]:
    single = [condition.label for condition in counted if len(condition.counted) == 1]
    sentences = [f"{label} has a single seed: its spread is unknown and it is not tested" for label in single]
    if len(single) == len(counted) > 1:
        sentences = ["All conditions have a single seed: their spreads are unknown and they are not tested"]
    few = [condition.label for condition in counted if 1 < len(condition.counted) < _FEWEST_SEEDS]
    if few:
        sentences.append(
            f"Fewer than {_FEWEST_SEEDS} seeds: {'all' if len(few) == len(counted) else listed(few)}; "
            "bootstrap intervals of so few are too narrow"
        )
    sizes = {len(condition.counted) for condition in counted}
    if len(sizes) > 1:
        sentences.append(f"The conditions have unequal numbers of seeds, from {min(sizes)} to {max(sizes)}")
    grids = {tuple(run.mastery.index) for condition in counted for run in condition.counted}
    if len({len(grid) for grid in grids}) > 1:
        sentences.append("Not all runs were evaluated equally often: areas under curves are less comparable")
    return sentences


def _find_baselines(
    counted: Sequence[Condition], wanted: str | None, last_study: str
) -> tuple[dict[str, str], list[str]]:
    """Baseline label by condition label, and a sentence about each condition without a unique baseline."""
    labels = [condition.label for condition in counted]
    if wanted in labels:
        return {label: wanted for label in labels if label != wanted}, []
    name, group = wanted or _USUAL_BASELINE, "teacher"
    studies = list(dict.fromkeys(c.names["study"] for c in counted if "study" in c.names))
    if all(condition.names["teacher"] != name for condition in counted) and len(studies) > 1:
        name, group = wanted or last_study, "study"
    candidates = [condition for condition in counted if condition.names[group] == name]
    if wanted is not None and not candidates:
        raise ValueError(f"--baseline {wanted} must be one of {', '.join(labels)}")
    # Prefer candidates that differ only in the group; otherwise the same budget, env and test set suffice.
    facts: list[tuple[Callable[[Condition], str], dict[str, list[str]]]] = [
        (facts_of, {}) for facts_of in (partial(rest_of, group=group), setting_of)
    ]
    for candidate in candidates:
        for facts_of, known in facts:
            known.setdefault(facts_of(candidate), []).append(candidate.label)
    others = [condition for condition in counted if condition.names[group] != name] if candidates else []
    baselines, notes = {}, []
    for condition in others:
        found = next((known[fact] for facts_of, known in facts if (fact := facts_of(condition)) in known), [])
        if len(found) == 1:
            baselines[condition.label] = found[0]
        else:
            reason = f"could be tested against any of {', '.join(found)}" if found else "has none like it"
            notes.append(f"Baseline {name}: {condition.label} {reason}; --baseline takes a label too")
    if wanted is not None and len(counted) > 1 and not baselines:
        any_of = ", ".join(condition.label for condition in candidates)
        raise ValueError(f"--baseline {wanted} could be any of {any_of}: name one of these")
    return baselines, notes


def _names(condition: Condition) -> dict[str, Any]:
    return {
        "condition": condition.label,
        **condition.names,
        "runs": len(condition.runs),
        "seeds": len(condition.counted),
    }


def _row(
    condition: Condition, judge: str | None, episodes: Mapping[Path, pd.DataFrame], rng: np.random.Generator
) -> dict[str, Any]:
    scores = condition.scores
    mean, sd = mean_and_sd(scores)
    low, high = interquartile_mean_interval([scores], rng)
    areas = [area_under_curve(run.mastery.index, run.mastery) for run in condition.counted]
    area_mean, area_sd = mean_and_sd(areas)
    row = {
        **_names(condition),
        "steps": max(run.steps for run in condition.counted),
        "mastered_mean": mean,
        "mastered_sd": sd,
        "mastered_iqm": float(interquartile_mean(scores)),
        "mastered_iqm_low": low,
        "mastered_iqm_high": high,
        "area_mean": area_mean,
        "area_sd": area_sd,
    }
    if condition.counted[0].last is not None:
        worst = [worst_return(run, episodes.get(run.directory.path)) for run in condition.counted]
        row["worst_return_mean"], row["worst_return_sd"] = mean_and_sd(worst)
        row["worst_judged_on"] = "the same episodes" if judge is None else judge
    return row


def _add_tests(
    rows: Sequence[dict[str, Any]],
    counted: Sequence[Condition],
    baselines: dict[str, str],
    rng: np.random.Generator,
) -> None:
    """Test each condition against its baseline, with all tests as one family for Holm's correction."""
    scores = {condition.label: condition.scores for condition in counted}
    tested = [row for row in rows if row["condition"] in baselines]
    for row in tested:
        own, others = scores[row["condition"]], scores[baselines[row["condition"]]]
        low, high = probability_of_improvement_interval(own, others, rng)
        row |= {
            "baseline": baselines[row["condition"]],
            "difference": float(own.mean() - others.mean()),
            "p_value": welch_p_value(own, others),
            "improvement": probability_of_improvement(own, others),
            "improvement_low": low,
            "improvement_high": high,
        }
    for row, corrected in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_holm"] = float(corrected)


def _pairs(counted: Sequence[Condition]) -> pd.DataFrame:
    known = [(condition.label, setting_of(condition), condition.scores) for condition in counted]
    rows = [
        {
            "condition": label,
            "other": other,
            "difference": float(scores.mean() - others.mean()),
            "p_value": welch_p_value(scores, others),
        }
        for (label, setting, scores), (other, others_setting, others) in combinations(known, 2)
        if setting == others_setting
    ]
    pairs = pd.DataFrame(rows, columns=["condition", "other", "difference", "p_value"])
    return pairs.assign(p_holm=holm(pairs["p_value"].to_numpy()))


def _curves(counted: Sequence[Condition]) -> pd.DataFrame:
    points = pd.concat(
        pd.DataFrame({"condition": condition.label, "step": run.mastery.index, "mastered": run.mastery.array})
        for condition in counted
        for run in condition.counted
    )
    groups = points.groupby(["condition", "step"], sort=False)["mastered"]
    curves = groups.agg(seeds="count", mean="mean", sd="std").reset_index()
    curves = curves.assign(margin=mean_margin(curves["sd"], curves["seeds"]))
    returns = _return_curves(counted)
    return curves if returns is None else curves.merge(returns, how="left", on=["condition", "step"])


def _return_curves(counted: Sequence[Condition]) -> pd.DataFrame | None:
    """Mean return over the test tasks by condition and step; None if all students are simulated."""
    means = [
        run.evaluations.groupby("step")["return"].mean().reset_index().assign(condition=condition.label)
        for condition in counted
        for run in condition.counted
        if run.evaluations is not None and run.last is not None
    ]
    if not means:
        return None
    groups = pd.concat(means).groupby(["condition", "step"], sort=False)["return"]
    found = groups.agg(return_mean="mean", return_sd="std", seeds="count").reset_index()
    found["return_margin"] = mean_margin(found["return_sd"], found["seeds"])
    return found.drop(columns="seeds")

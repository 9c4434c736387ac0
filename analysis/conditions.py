"""The conditions of a comparison: groups runs by configuration and checks that they are comparable."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import RESERVED_NAMES
from ..runs.printable import printable
from ..runs.settings import is_how
from ..runs.teacher_styles import display_name
from . import DIFFERENCES
from .study import COMPONENTS, StudyRun

_NO_DIFFERENCE = {"seed", "device", "env.engine"}
"""Keys that do not distinguish conditions, in addition to those of `is_how`."""

_LONGEST_VALUE = 60
"""Longest value that is shown in full, in characters."""
_BETWEEN_SETTINGS = re.compile(r"(?<!,) ")
"""Separates the settings in a label; spaces within lists do not."""
_SHOWN_KEYS = 4
"""Most differing keys named in a sentence."""


@dataclass
class Condition:
    """The runs with the same configuration apart from the seed.

    Attributes:
        label: What distinguishes it from the other conditions.
        names: Names of its env, teacher and student in the configuration, preceded by its `study` if
            studies are conditions.
        runs: Its runs, one per seed, in the order of seeds.
        missing: Seeds of other conditions that it lacks.
        all_runs: Its runs, including those that repeat seeds.
    """

    label: str
    names: Mapping[str, str]
    runs: list[StudyRun]
    missing: list[int]
    all_runs: list[StudyRun] = field(default_factory=list, repr=False)

    @property
    def counted(self) -> list[StudyRun]:
        """The runs that have a result."""
        return [run for run in self.runs if run.problem is None]

    @property
    def display(self) -> str:
        """The label in the style of a paper: `ALP-GMM, learning rate = 0.01`."""
        head, *settings = self.label.split(" ")
        groups = {name: group for group, name in self.names.items()}
        names = [display_name(groups[name], name) if name in groups else name for name in head.split("/")]
        said = []
        for setting in settings:
            key, equals, value = setting.partition("=")
            words = key.rpartition(".")[2].replace("_", " ")
            said.append(f"{words} = {value}" if equals else setting)
        return ", ".join([" ".join(names), *said])

    @property
    def middle(self) -> StudyRun:
        """The counted run with the median score."""
        return sorted(self.counted, key=lambda run: run.score)[len(self.counted) // 2]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Final percentage mastered of each counted run."""
        return np.array([run.score for run in self.counted])


def find_conditions(
    runs: Sequence[StudyRun], only: Sequence[str] = (), without: Sequence[str] = ()
) -> tuple[list[Condition], list[str]]:
    """Group runs by configuration, ignoring the seed.

    Args:
        runs: Runs returned by `read_study`; a `study` in their `names` distinguishes them too.
        only: Conditions to keep, each given by its label, or by a name or a setting in it; all if empty.
        without: Conditions to leave out, given in the same way.

    Returns:
        The conditions, and a sentence about each with repeated seeds, whose extra runs are left out.

    Raises:
        ValueError: If no condition matches one of the given names, or none is left.
    """
    if only or without:
        runs = _chosen(_grouped(runs)[0], only, without)
    return _grouped(runs)


def _chosen(conditions: Sequence[Condition], only: Sequence[str], without: Sequence[str]) -> list[StudyRun]:
    """The runs of the selected conditions."""
    called = {
        condition.label: {
            _as_typed(name)
            for name in (
                condition.label,
                *condition.names.values(),
                *_BETWEEN_SETTINGS.split(condition.label),
            )
        }
        for condition in conditions
    }
    for option, names in (("--only", only), ("--without", without)):
        for name in names:
            if not any(_as_typed(name) in own for own in called.values()):
                labels = ", ".join(called)
                raise ValueError(f"{option} {printable(name)} is none of the conditions: {labels}")
    wanted, unwanted = ({_as_typed(name) for name in names} for names in (only, without))
    kept = [
        condition
        for condition in conditions
        if (not only or called[condition.label] & wanted) and not called[condition.label] & unwanted
    ]
    if not kept:
        raise ValueError(f"--only and --without leave none of the conditions: {', '.join(called)}")
    return [run for condition in kept for run in condition.all_runs]


def _as_typed(name: str) -> str:
    """A normalized spelling, so that `[0.0, 6.0]` equals `[0,6]` and `1_000` equals `1000`."""
    return re.sub(r"(?<=,) |(?<=\d)_(?=\d{3})|(?<=\d)\.0\b", "", name)


def _grouped(runs: Sequence[StudyRun]) -> tuple[list[Condition], list[str]]:
    groups: defaultdict[tuple[Any, ...], list[StudyRun]] = defaultdict(list)
    for run in runs:
        groups[_what_it_is(run)].append(run)
    labels = labels_of([members[0] for members in groups.values()])
    everyones = {run.seed for run in runs}
    conditions, notes = [], []
    for label, members in zip(labels, groups.values(), strict=True):
        kept: dict[int, StudyRun] = {}
        repeated = []
        for run in sorted(members, key=lambda run: run.problem is not None):
            if run.seed in kept:
                repeated.append(run)
            else:
                kept[run.seed] = run
        if repeated:
            notes.append(_repetition(label, repeated, kept))
        own = [kept[seed] for seed in sorted(kept)]
        conditions.append(Condition(label, own[0].names, own, sorted(everyones - kept.keys()), members))
    return conditions, notes


def _repetition(label: str, repeated: Sequence[StudyRun], kept: Mapping[int, StudyRun]) -> str:
    first, count = repeated[0], len(repeated)
    if count == 1:
        sentence = f"{first.directory.path} repeats seed {first.seed} of {label} and is left out: "
    else:
        seeds = ", ".join(str(run.seed) for run in repeated)
        sentence = (
            f"{count} runs repeat seeds of {label} ({seeds}) and are left out, {first.directory.path} first: "
        )
    return (
        f"{sentence}{kept[first.seed].directory.path} is counted (name=folder, or --by study, compares "
        "folders of one configuration)"
    )


def _is_difference(key: str) -> bool:
    """Whether runs that differ in a key are different conditions; true for the budget."""
    return key not in _NO_DIFFERENCE and (key == "total_steps" or not is_how(key))


def _what_it_is(run: StudyRun) -> tuple[Any, ...]:
    # A key that older runs lack is null in newer ones.
    leaves = sorted(
        (key, value) for key, value in run.config.items() if _is_difference(key) and value is not None
    )
    return (*run.names.values(), *((key, repr(value)) for key, value in leaves))


def labels_of(examples: Sequence[StudyRun]) -> list[str]:
    """Labels, given one run per condition: names that differ, then settings that differ among equal names."""
    differing = [group for group in examples[0].names if len({run.names[group] for run in examples}) > 1]
    named = differing or ["teacher"]
    keys = sorted({key for run in examples for key in run.config if _is_difference(key)})
    # The values of a key among runs whose component has the same name.
    values: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for run in examples:
        for key in keys:
            values[key, _component(run, key)].add(repr(run.config.get(key)))
    labels = []
    for run in examples:
        settings = [
            f"{printable(key, _LONGEST_VALUE)}={_shown(run.config.get(key))}"
            for key in keys
            if len(values[key, _component(run, key)]) > 1
        ]
        labels.append(" ".join(["/".join(run.names[group] for group in named), *settings]))
    counts, numbers = Counter(labels), defaultdict[str, int](int)
    for index, label in enumerate(labels):
        # A number and a string of its digits look alike.
        if counts[label] > 1:
            numbers[label] += 1
            labels[index] = f"{label} ({numbers[label]})"
    return labels


def _component(run: StudyRun, key: str) -> str:
    """The run's name for the component that a key belongs to; empty for keys of the run itself."""
    group = key.partition(".")[0]
    return run.names[group] if group in COMPONENTS else ""


def _shown(value: Any) -> str:
    text = f"{value:_}" if type(value) is int else "null" if value is None else str(value)
    if len(text) > _LONGEST_VALUE:
        text = f"{text[:_LONGEST_VALUE]}… {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return printable(text)


def task_columns_of(run: StudyRun) -> list[str]:
    """The columns of a run's last evaluation that make up the task; none for a simulated student."""
    return [] if run.last is None else [name for name in run.last.columns if name not in RESERVED_NAMES]


def _budget(run: StudyRun) -> dict[str, Any]:
    # A step is one decision of the student; with action repeat it covers several frames of the env.
    return {
        "total_steps": run.config.get("total_steps"),
        "student.action_repeat": run.config.get("student.action_repeat", 1),
    }


def _env(run: StudyRun) -> dict[str, Any]:
    parts = ("env.", "student.") if run.is_simulated else ("env.",)
    return {
        "env": run.names["env"],
        **{
            key: value
            for key, value in run.config.items()
            if key.startswith(parts) and _is_difference(key) and value is not None
        },
    }


def _test_set(run: StudyRun) -> dict[str, Any]:
    if run.last is None:
        return {}
    return {key: run.config.get(key) for key in ("evaluation.n_tasks", "evaluation.seed")}


def _tested_tasks(run: StudyRun) -> dict[str, Any]:
    """Digest of the tested tasks: equal configurations may draw different tasks if the code has changed."""
    if run.last is None:
        return {}
    tasks = run.last[["task_index", *task_columns_of(run)]].to_csv(index=False)
    return {"the tasks in evaluations.csv": hashlib.sha256(tasks.encode()).hexdigest()[:8]}


_MUST_AGREE: dict[str, Callable[[StudyRun], dict[str, Any]]] = dict(
    zip(DIFFERENCES, (_budget, _env, _test_set), strict=True)
)


def require_fairness(conditions: Sequence[Condition], allowed: Iterable[str] = ()) -> list[str]:
    """Check that all counted runs had the same budget, env and test set.

    Args:
        conditions: The conditions to compare.
        allowed: Members of `DIFFERENCES` that are intended.

    Returns:
        A sentence about each allowed difference that was found.

    Raises:
        ValueError: If there is a difference that is not allowed.
    """
    notes = []
    counted = [run for condition in conditions for run in condition.counted]
    for difference, facts_of in _MUST_AGREE.items():
        found = _differing([facts_of(run) for run in counted])
        if difference == "test_set" and not found:
            found = _differing_tasks(counted)
        if not found:
            continue
        what = f"the runs differ in their {difference.replace('_', ' ')}: {found}"
        if difference not in allowed:
            raise ValueError(
                f"{what}; compare folders that agree, or say --allow {difference} if that difference "
                "is intended"
            )
        notes.append(f"As allowed, {what}")
    return notes


def setting_of(condition: Condition) -> str:
    """Budget, env and test set of a condition, as a string that is equal if and only if they are."""
    run = condition.counted[0]
    return repr([facts_of(run) for facts_of in _MUST_AGREE.values()])


def rest_of(condition: Condition, group: str = "teacher") -> str:
    """All of a condition except its teacher or study, as a string that is equal if and only if that is."""
    leaves = condition.counted[0].config.items()
    study = "" if group == "study" else condition.names.get("study", "")
    teacher = "" if group == "teacher" else condition.names["teacher"]
    return f"{setting_of(condition)} {study!r} {teacher!r} " + repr(
        sorted(
            (key, repr(value))
            for key, value in leaves
            if _is_difference(key) and value is not None and not key.startswith(f"{group}.")
        )
    )


def _differing_tasks(runs: Sequence[StudyRun]) -> str:
    envs: defaultdict[str, list[StudyRun]] = defaultdict(list)
    for run in runs:
        envs[repr(_env(run))].append(run)
    for members in envs.values():
        found = _differing([_tested_tasks(run) for run in members])
        if found:
            return found
    return ""


def _differing(facts: Sequence[Mapping[str, Any]]) -> str:
    """The keys in which dicts differ, with their values; "" if they are equal."""
    sentences = []
    for key in dict.fromkeys(key for one in facts for key in one):
        values = list(dict.fromkeys(_shown(one[key]) if key in one else "absent" for one in facts))
        if len(values) > 1:
            sentences.append(f"{printable(key, _LONGEST_VALUE)} is {' or '.join(values[:_SHOWN_KEYS])}")
    more = len(sentences) - _SHOWN_KEYS
    return ", ".join(sentences[:_SHOWN_KEYS]) + (f" and {more} more" if more > 0 else "")

"""The jobs of a sweep, their states, and the commands that rerun the failed ones."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from ..runs.run_state import RunState
from .hydra_command import overrides_of
from .job import Job

_DIGEST = (
    ("finished", "finished"),
    ("running", "running elsewhere"),
    ("resume", "to resume"),
    ("failed", "failed"),
    ("refused", "refused"),
    ("start", "to start"),
)
ELSEWHERE = ("slurm", "ray")
"""Launchers whose jobs may run on other machines."""
_CONFIG_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")


class Sweep:
    """All jobs of a command line.

    Args:
        config: The configuration that Hydra composed from the command line, with its `hydra` node.
        arguments: The arguments of the command.
        jobs: The known jobs; None for every combination of the command line.

    Raises:
        hydra.errors.HydraException: If a job cannot be composed.
        omegaconf.errors.OmegaConfBaseException: The same.
        ValueError: If two jobs would share a directory.

    Attributes:
        jobs: The jobs, in the order in which they start.
        launcher: Name of the launcher in the configuration.
    """

    def __init__(
        self, config: DictConfig, arguments: Sequence[str], jobs: Sequence[Job] | None = None
    ) -> None:
        self.launcher = str(config.hydra.runtime.choices.launcher)
        self._flags = list(_kept_flags(arguments))
        self._hydra_overrides = [
            override for override in config.hydra.overrides.hydra if not override.startswith("hydra.mode=")
        ]
        self.jobs = list(jobs_of(config, _combinations(config)) if jobs is None else jobs)
        shared = Counter(job.directory.path for job in self.jobs).most_common(1)
        if shared and shared[0][1] > 1:
            raise ValueError(
                f"{shared[0][1]} jobs of the sweep are the same run, {shared[0][0]}: runs cannot differ "
                "only in total_steps, in how they are executed, or in how a value is spelled"
            )

    def check(self) -> None:
        """Check that each job has finished or can be run.

        Raises:
            ValueError: If one cannot.
        """
        built: set[str] = set()
        for job in self.jobs:
            but_for_the_seed = repr({**job.config, "seed": None})
            job.check(self.launcher in ELSEWHERE, build=but_for_the_seed not in built)
            built.add(but_for_the_seed)

    def states(self) -> list[RunState]:
        """The state of each job."""
        return [job.state() for job in self.jobs]

    def digest(self, states: Sequence[RunState]) -> str:
        """The states in one line, such as "6 jobs: 2 finished, 1 to resume, 3 to start"."""
        kinds = Counter[str](state.kind for state in states)
        parts = [f"{kinds[kind]} {words}" for kind, words in _DIGEST if kinds[kind]]
        count = len(self.jobs)
        return f"{count} job{'' if count == 1 else 's'}: {', '.join(parts)}"

    def print_table(self, console: Console, states: Sequence[RunState]) -> None:
        """Print one row per job and the digest, and why jobs have failed."""
        console.print(self._table(states))
        console.print(self.digest(states))
        for job, state in zip(self.jobs, states, strict=True):
            if state.kind == "failed":
                lines = [f"Failed: {job.label}: {state.note}", f"        traceback: {job.directory.log}"]
                console.print("\n".join(lines), soft_wrap=True)

    def _table(self, states: Sequence[RunState]) -> Table:
        table = Table(title=str(self.jobs[0].study) if self.jobs else None)
        table.add_column("job", justify="right")
        varying = _varying(self.jobs)
        for key in varying:
            table.add_column(key)
        for heading in ("state", "mastered", "return", "steps"):
            table.add_column(heading, justify="left" if heading == "state" else "right")
        for number, (job, state) in enumerate(zip(self.jobs, states, strict=True)):
            table.add_row(
                str(number),
                *(_pairs(job).get(key, "") for key in varying),
                _words(state),
                *_results(state),
            )
        return table

    def print_end(self, console: Console, states: Sequence[RunState]) -> None:
        """Print the results of the jobs, and the commands that rerun the failed ones."""
        self.print_table(console, states)
        failed = [job for job, state in zip(self.jobs, states, strict=True) if state.kind == "failed"]
        if failed:
            console.print("To try again only what failed:")
        for command in self.commands(failed):
            console.print(f"  {command}", soft_wrap=True)

    def commands(self, jobs: Sequence[Job]) -> list[str]:
        """About the smallest set of command lines that run exactly these jobs."""
        groups: list[dict[str, tuple[str, ...]]] = [
            {key: (value,) for key, value in _pairs(job).items()} for job in jobs
        ]
        merged = True
        while merged:
            merged = False
            for first in range(len(groups)):
                for second in range(first + 1, len(groups)):
                    union = _union(groups[first], groups[second])
                    if union is not None:
                        groups[first] = union
                        del groups[second]
                        merged = True
                        break
                if merged:
                    break
        return [self._command(group) for group in groups]

    def _command(self, group: Mapping[str, Sequence[str]]) -> str:
        overrides = [f"{key}={','.join(values)}" for key, values in group.items()]
        return shlex.join(["chiron-train", *self._flags, "-m", *overrides, *self._hydra_overrides])


def jobs_of(config: DictConfig, combinations: Iterable[Sequence[str]]) -> Iterator[Job]:
    """Jobs of a command line.

    Args:
        config: The configuration that Hydra composed from the command line, with its `hydra` node.
        combinations: The overrides of each job.
    """
    loader = GlobalHydra.instance().config_loader()
    before = HydraConfig.instance().cfg
    try:
        for overrides in combinations:
            composed = loader.load_sweep_config(config, list(overrides))
            # Values may refer to Hydra's own, such as the number of jobs that share this machine.
            HydraConfig.instance().set_config(composed)
            yield Job(composed, composed.hydra)
    finally:
        HydraConfig.instance().cfg = before


def _combinations(config: DictConfig) -> list[list[str]]:
    given = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    given += overrides_of(config.hydra)
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    combinations: list[list[str]] = BasicSweeper.split_arguments(parser.parse_overrides(given), None)[0]
    return combinations


def _kept_flags(arguments: Sequence[str]) -> Iterator[str]:
    takes_next = False
    for argument in arguments:
        if takes_next or argument.startswith(_CONFIG_FLAGS):
            yield argument
        takes_next = not takes_next and argument in _CONFIG_FLAGS


def _pairs(job: Job) -> dict[str, str]:
    return {key: value for key, _, value in (override.partition("=") for override in job.overrides)}


def _varying(jobs: Sequence[Job]) -> list[str]:
    """The keys of overrides that differ between jobs."""
    pairs = [_pairs(job) for job in jobs]
    keys = dict.fromkeys(key for of_job in pairs for key in of_job)
    return [key for key in keys if len({of_job.get(key) for of_job in pairs}) > 1]


def _union(
    one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]] | None:
    """The union of two groups if they differ in the values of a single key; None otherwise."""
    differing = [key for key in one if one[key] != other.get(key)]
    if len(differing) != 1 or one.keys() != other.keys():
        return None
    (key,) = differing
    return {**one, key: one[key] + other[key]}


def _words(state: RunState) -> str:
    at = "" if state.step is None else f" at step {state.step:,}"
    match state.kind:
        case "finished":
            return "finished"
        case "running":
            return f"running: {state.note}"
        case "failed":
            return f"failed{at and f', to resume{at}'}"
        case "refused":
            return "refused: holds another configuration"
        case "resume" | "start":
            return f"to {state.kind}{at}"


def _results(state: RunState) -> tuple[str, str, str]:
    summary: Mapping[str, Any] = state.summary or {}
    mastered, mean = summary.get("mastered_percent"), summary.get("return_mean")
    return (
        "" if mastered is None else f"{mastered:.0f}%",
        "" if mean is None else f"{mean:.1f}",
        f"{summary['steps']:,}" if summary else "",
    )

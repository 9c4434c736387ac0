"""Settings of a run: budget, seeds, evaluations and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from .fitting import fitted, hints_of

LONGEST_VIDEO = 120.0
"""Longest video of `chiron-watch`, in seconds of env time."""

_HOW = (
    *("study", "results", "total_steps", "n_workers", "threads"),
    *("callbacks", "checkpoint", "objective", "pictures", "videos"),
)


@dataclass
class EvaluationSettings:
    """When a student is evaluated, and on which tasks.

    Attributes:
        every_steps: Training steps between evaluations.
        n_tasks: Number of test tasks, drawn uniformly from the task space.
        seed: Seed of the test tasks and their episodes. Keep it equal in all runs that are compared.
    """

    every_steps: int = 500_000
    n_tasks: int = 50
    seed: int = 0


@dataclass
class CheckpointSettings:
    """When the state of a run is saved: at whichever interval ends first.

    Attributes:
        every_steps: Training steps between checkpoints; None to go by the clock alone.
        every_minutes: Minutes between checkpoints; None to go by steps alone.
        keep_last: Whether a finished run keeps its last state, so that a larger total_steps continues it.
    """

    every_steps: int | None = None
    every_minutes: float | None = 5.0
    keep_last: bool = True


@dataclass
class RunSettings:
    """All settings of a run except its env, teacher, student and callbacks.

    Attributes:
        total_steps: Environment steps of training.
        n_envs: Envs stepped together.
        n_workers: Processes that step the envs, 0 for the run's own; threads where one compiled call steps
            them all. Results do not depend on it.
        seed: Seeds everything the run draws.
        device: Device of the student's networks: auto, cpu, cuda or cuda:N.
        threads: CPU threads for the student's networks.
        pictures: Whether to draw what the teacher proposed and why when the run ends.
        videos: Whether to record videos of the student at each evaluation, for TensorBoard.
        evaluation: When the student is evaluated, and on which tasks.
        checkpoint: When the run's state is saved.
    """

    total_steps: int = 2_000_000
    n_envs: int = 32
    n_workers: int = 2
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    pictures: bool = False
    videos: bool = False
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)

    def __post_init__(self) -> None:
        """Reject values that no run can use.

        Raises:
            ValueError: With key, value and what is allowed.
        """
        for key, least in _AT_LEAST.items():
            value: Any = self
            for part in key.split("."):
                value = getattr(value, part)
            # While a configuration is being composed, mandatory values are strings.
            if isinstance(value, int) and value < least:
                raise ValueError(f"{key}={value} must be at least {least}")
            if isinstance(value, int) and value > _AT_MOST.get(key, value):
                raise ValueError(f"{key}={value} must be at most {_AT_MOST[key]}")
        for interval in ("every_steps", "every_minutes"):
            value = getattr(self.checkpoint, interval)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"checkpoint.{interval}={value} must be above 0, or null")


_AT_LEAST = {
    "total_steps": 1,
    "n_envs": 1,
    "n_workers": 0,
    "seed": 0,
    "threads": 1,
    "evaluation.every_steps": 1,
    "evaluation.n_tasks": 1,
    "evaluation.seed": 0,
}
_AT_MOST = {"n_workers": 1024, "threads": 1024}
"""More than any machine has; a process that requests tens of thousands of threads is aborted."""


def settings_from(kind: type[Any], values: dict[str, Any], prefix: str = "") -> Any:
    """Make a settings dataclass from nested dicts; integers may be written as `1e5`.

    Args:
        kind: The dataclass.
        values: Its fields by name, nested dataclasses as dicts.
        prefix: Prefix of the keys in messages.

    Raises:
        ValueError: If a key is unknown or a value cannot be used.
    """
    known = {part.name: part for part in fields(kind)}
    for key in values:
        if key not in known:
            raise ValueError(f"{prefix}{key} is unknown: the keys are {', '.join(prefix + k for k in known)}")
    hints = hints_of(kind)
    return kind(
        **{
            key: settings_from(hints[key], value, f"{prefix}{key}.")
            if is_dataclass(hints[key]) and isinstance(value, dict)
            else fitted(f"{prefix}{key}", value, hints[key])
            for key, value in values.items()
        }
    )


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf of a configuration; empty mappings are leaves too.

    Args:
        node: The configuration.
        prefix: Prefix of the keys.
    """
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def is_how(key: str) -> bool:
    """Whether a dotted key sets where, for how long or how a run is executed, not what is run.

    Such keys are not part of a run's identity: they may change before it is resumed or continued.
    """
    return key.partition(".")[0] in _HOW

"""The keys of `chiron-watch`: their types and ranges."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from ..runs.settings import LONGEST_VIDEO

ACTIONS = ("random", "none")
"""Actions to play without a student."""


@dataclass
class WatchConfig:
    """What to watch, and the output.

    Attributes:
        env: The env, by `_target_`; with `run`, that of the run.
        run: Directory of the run whose student plays; None for no student.
        trust: Your packages and modules that the run's `config.yaml` may name (`docs/trust.md`).
        task: A vector, a dict by name, or "easy", "middle", "hard", "random"; None for the env's default.
        actions: Actions without a student: random, or none.
        seed: Seeds the episode, random actions and a random task.
        seconds: Env time in seconds after which the episode is cut off; None to play it to its end.
        lidar: Whether to show a walker's lidar rays.
        sheet: Whether to draw a sheet of sample tracks instead of playing.
        out: The file to write; None opens a window.
    """

    env: Any = MISSING
    run: str | None = None
    trust: list[str] = field(default_factory=list)
    task: Any = None
    actions: str = MISSING
    seed: int = MISSING
    seconds: float | None = None
    lidar: bool = MISSING
    sheet: bool = MISSING
    out: str | None = None


def check_watch_ranges(config: dict[str, Any]) -> None:
    """Reject invalid values.

    Args:
        config: A resolved configuration with the keys of `WatchConfig`.

    Raises:
        ValueError: With key, value and what is allowed.
    """
    for part in fields(WatchConfig):
        if part.name not in config:
            raise ValueError(f"{part.name} is missing: ~{part.name} is not possible")
    if config["seed"] < 0:
        raise ValueError(f"seed={config['seed']} must be at least 0")
    if config["actions"] not in ACTIONS:
        raise ValueError(f"actions={config['actions']} must be one of {', '.join(ACTIONS)}")
    seconds = config["seconds"]
    if seconds is not None and not 0 < seconds <= LONGEST_VIDEO:
        raise ValueError(f"seconds={seconds:g} must be above 0 and at most {LONGEST_VIDEO:g}")


ConfigStore.instance().store("watch_schema", WatchConfig)

"""A sweep whose jobs are chosen by Optuna, with several seeds per setting."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from rich.console import Console

from ..runs.run_state import RunState
from .hydra_command import overrides_of
from .sweep import ELSEWHERE, Sweep, jobs_of

SEED = "seed"
"""The key whose values are not part of the search space."""


class Search(Sweep):
    """The jobs of a search so far, in the order of their launch.

    Args:
        config: The configuration that Hydra composed from the command line, with its `hydra` node.
        arguments: The arguments of the command.

    Raises:
        hydra.errors.HydraException: If a job cannot be composed.
        ValueError: If there is nothing to search for.

    Attributes:
        fixed: The overrides that are the same in all trials.
        space: The overrides that define Optuna's search space.
        seeds: Seeds with which each setting is run.
        trials: Overrides and mean objective of each trial; NaN if one of its jobs failed.
    """

    def __init__(self, config: DictConfig, arguments: Sequence[str]) -> None:
        super().__init__(config, arguments, [])
        self._config = config
        self.fixed: list[str] = []
        self.space: list[str] = []
        self.seeds: list[str] = []
        self.trials: list[tuple[tuple[str, ...], float]] = []
        params = config.hydra.sweeper.get("params") or {}
        # A key on the command line overrides that of an experiment.
        given = {**dict(params), **dict(text.split("=", 1) for text in overrides_of(config.hydra))}
        first = []
        for override in OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in given.items()]):
            text = str(override.input_line)
            if override.get_key_element() == SEED:
                values = override.sweep_string_iterator() if override.is_sweep_override() else [given[SEED]]
                self.seeds = [str(value) for value in values]
            elif override.is_sweep_override():
                self.space.append(text)
                first.append(f"{override.get_key_element()}={_one_of(override)}")
            else:
                self.fixed.append(text)
        self.seeds = self.seeds or [str(config.seed)]
        if not self.space:
            raise ValueError(
                "sweeper=optuna has nothing to search: give ranges or choices, as "
                "'student.learning_rate=tag(log,interval(1e-5,1e-2))' or teacher=alp_gmm,random"
            )
        (self._first,) = jobs_of(config, [[*first, *self.fixed, f"{SEED}={self.seeds[0]}"]])

    def add(self, overrides: Sequence[tuple[str, ...]]) -> None:
        """Add jobs that are about to be launched."""
        self.jobs += jobs_of(self._config, overrides)

    def check(self) -> None:
        """Check that a first setting can be run.

        Raises:
            ValueError: If it cannot.
        """
        self._first.check(self.launcher in ELSEWHERE)

    def print_end(self, console: Console, states: Sequence[RunState]) -> None:
        super().print_end(console, states)
        done = [trial for trial in self.trials if math.isfinite(trial[1])]
        if not done:
            return
        best, value = max(done, key=lambda trial: trial[1])
        settings = [override for override in best if override not in self.fixed]
        fixed = [override for override in self.fixed if not override.startswith(("sweeper=", "objective="))]
        command = ["chiron-train", *self._flags, "-m", *fixed, *settings, f"{SEED}={','.join(self.seeds)}"]
        said = f"Best of {len(done)} trials, {self._config.objective} {value:.4g}: {' '.join(settings)}"
        lines = [said, "To train with it and see the test tasks:", f"  {shlex.join(command)}"]
        console.print("\n".join(lines), soft_wrap=True)


def _one_of(override: Any) -> str:
    """One value in the list or range of a sweep's override."""
    if override.is_interval_sweep():
        return str(override.value().start)
    return str(next(iter(override.sweep_string_iterator())))

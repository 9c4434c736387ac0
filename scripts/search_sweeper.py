"""Hydra's sweeper for Optuna, with several seeds per setting."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import optuna
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_optuna_sweeper import optuna_sweeper

from .search import SEED, Search

_NAME = f"{optuna_sweeper.OptunaSweeper.__module__}.{optuna_sweeper.OptunaSweeper.__name__}"


class SearchSweeper(optuna_sweeper.OptunaSweeper):  # type: ignore[misc]  # untyped
    """Hydra's sweeper, with settings instead of jobs as trials."""

    search: ClassVar[Search]
    """The search that this process has started."""

    def sweep(self, arguments: list[str]) -> None:
        """Run the search; the arguments are those that `Search` has sorted."""
        self.sweeper.params = None
        self.sweeper.launcher = _Trials(self.sweeper.launcher, self.search)
        super().sweep([*self.search.space, *self.search.fixed])


def search_with(search: Search) -> None:
    """Make Hydra's sweeper for Optuna launch the jobs of a search."""
    # Its six lines repeat one row of our table.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("hydra_plugins.hydra_optuna_sweeper._impl").setLevel(logging.WARNING)
    SearchSweeper.search = search
    # Hydra loads plugins from its own packages only.
    Plugins.instance().class_name_to_class[_NAME] = SearchSweeper


class _Trials:
    """A launcher of trials, each of which is a setting with one job per seed."""

    def __init__(self, launcher: Any, search: Search) -> None:
        self._launcher = launcher
        self._search = search

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        seeds = self._search.seeds
        # A setting may be proposed twice, and two jobs must not share a directory.
        known = {tuple(job.overrides) for job in self._search.jobs}
        jobs = list(
            dict.fromkeys((*setting, f"{SEED}={seed}") for setting in job_overrides for seed in seeds)
        )
        self._search.add([job for job in jobs if job not in known])
        returns = dict(
            zip(jobs, self._launcher.launch(jobs, len(self._search.jobs) - len(jobs)), strict=True)
        )
        trials = []
        for setting in map(tuple, job_overrides):
            values = [returns[(*setting, f"{SEED}={seed}")].return_value for seed in seeds]
            mean = math.nan if None in values else sum(values) / len(values)
            self._search.trials.append((setting, mean))
            value = None if math.isnan(mean) else mean
            trials.append(JobReturn(status=JobStatus.COMPLETED, _return_value=value))
        return trials

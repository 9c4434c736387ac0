"""Checking every job of a sweep before the first one starts."""

from __future__ import annotations

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from scripts.job import Job
from scripts.refusal import refuse


class CheckJobs(Callback):
    """Builds each job of a sweep, so that a bad one is refused now and not after hours."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        sweeper = config.hydra.sweeper
        if not sweeper._target_.endswith(BasicSweeper.__name__):
            return
        loader = GlobalHydra.instance().config_loader()
        given = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
        given += config.hydra.overrides.task
        try:
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(given)
            for overrides in BasicSweeper.split_arguments(parsed, None)[0]:
                composed = loader.load_sweep_config(config, overrides)
                Job(composed, composed.hydra).check()
        except (ValueError, HydraException, OmegaConfBaseException) as error:
            refuse(error)

"""One job of the command line: what it runs, its directory, and its state."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ..conf.configured_run import run_from, settings_of
from ..conf.run_path import COMPONENTS, defaults_of, override_level, run_path
from ..conf.schema import expanded
from ..runs.holding import holding
from ..runs.missing_pictures import draw_missing_pictures
from ..runs.run_directory import RunDirectory
from ..runs.run_state import RunState, run_state
from .hydra_command import overrides_of

if TYPE_CHECKING:
    from ..runs.run import Run, RunCallback


class Job:
    """The run described by a composed configuration.

    Args:
        config: The composed configuration, with or without its `hydra` node.
        hydra: Its `hydra` node: the choice in each group, the overrides, and the working directory.

    Raises:
        omegaconf.errors.OmegaConfBaseException: If a mandatory value is missing.
        ValueError: If a setting cannot be used.

    Attributes:
        config: The resolved configuration as plain Python.
        names: Names of its env, teacher and student in the configuration.
        overrides: All overrides of the command line, as `key=value`.
        study: The folder of all runs of its study.
        directory: The run directory.
    """

    def __init__(self, config: DictConfig, hydra: Any) -> None:
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        resolved = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        self.config: dict[str, Any] = {str(key): value for key, value in resolved.items()}
        self.config |= {**asdict(settings_of(self.config)), "results": expanded(self.config["results"])}
        choices = hydra.runtime.choices
        self.names = {group: str(choices[group]) for group in COMPONENTS}
        self.overrides = overrides_of(hydra)
        self.study = Path(self.config["results"], self.config["study"])
        # A launcher may run its jobs in another working directory.
        if Path(hydra.runtime.cwd) != Path.cwd():
            self.study = Path(hydra.runtime.cwd, self.study)
        level = override_level(own, self.config, defaults_of(own, hydra))
        path = run_path(self.study, self.names, self.config["seed"], level)
        self.directory = RunDirectory(path)

    @property
    def label(self) -> str:
        """Identifies the job in its study: the path of its directory relative to the study."""
        return str(self.directory.path.relative_to(self.study))

    def finished_summary(self) -> dict[str, Any] | None:
        """The summary of this job if it has already finished, else None.

        Raises:
            NotOwnDirectoryError: If the directory holds another run or anything else.
        """
        held = holding(self.directory, self.config)
        return held.summary if held.kind == "finished" else None

    def objective(self, summary: Mapping[str, Any]) -> float | None:
        """The objective that a search maximizes, for a finished job.

        Args:
            summary: The summary of its run.
        """
        if self.config["objective"] == "area":
            mastery = self.directory.read_mastery()
            # Here for start-up time.
            from ..evaluation.metrics import area_under_curve

            return area_under_curve(mastery.index, mastery)
        key = {"mastered": "mastered_percent", "return": "return_mean"}[self.config["objective"]]
        value: float | None = summary[key]
        return value

    def state(self) -> RunState:
        """The state of the job, determined without changing anything."""
        return run_state(self.directory, self.config)

    def build(self, callbacks: Callable[[], Mapping[str, RunCallback]] = dict) -> Run:
        """Make the run; checks everything about it and writes nothing.

        Args:
            callbacks: Makes additional callbacks.

        Raises:
            ValueError: If the configuration cannot be run.
        """
        self._require_place()
        run = run_from(self.config, self.names, self.directory, callbacks)
        run.said = [override.partition("=")[0].lstrip("+~") for override in self.overrides]
        return run

    def draw_what_is_missing(self) -> None:
        """Draw requested pictures that a finished run does not have yet."""
        if self.config["pictures"]:
            draw_missing_pictures(self.directory)

    def check(self, elsewhere: bool = False, build: bool = True) -> None:
        """Check that the job has finished or can be run.

        Args:
            elsewhere: Whether it will run on another machine, which may have a GPU even if this one has none.
            build: Whether to build it; False if one that differs only in the seed has been built.

        Raises:
            ValueError: If it cannot be run.
        """
        if self.finished_summary() is not None:
            return
        self._require_place()
        if not build:
            return
        config = {**self.config, "n_workers": 0}
        if elsewhere and str(config["device"]).startswith("cuda"):
            config["device"] = "cpu"
        run_from(config, self.names, self.directory)

    def _require_place(self) -> None:
        path = self.directory.path
        existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        try:
            # Permissions do not reveal full, foreign or read-only file systems, so try to write.
            tempfile.TemporaryFile(dir=existing).close()
        except OSError as error:
            raise ValueError(
                f"results={self.config['results']}: {existing} is not a folder that can be written to: "
                f"{error.strerror}"
            ) from error

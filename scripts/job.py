"""One job of the command line: what it is to run, where it goes, and whether it has been done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from evaluation.run_directory import RunDirectory
from scripts.run import Run
from scripts.run_path import run_path
from scripts.simulated_run import SimulatedRun
from scripts.training_run import TrainingRun


class Job:
    """What a composed configuration asks for.

    Args:
        config: The composed configuration, with or without its `hydra` node.
        hydra: Its `hydra` node: what was chosen in each group, and the overrides.

    Raises:
        omegaconf.errors.OmegaConfBaseException: If a mandatory value is missing.

    Attributes:
        config: The resolved configuration as plain Python.
        names: What the config calls its env, teacher and student.
        study: The folder of all runs of its study.
        directory: Where the run leaves its files.
    """

    def __init__(self, config: DictConfig, hydra: Any) -> None:
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        resolved = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        self.config: dict[str, Any] = {str(key): value for key, value in resolved.items()}
        choices = hydra.runtime.choices
        self.names = {group: str(choices[group]) for group in ("env", "teacher", "student")}
        self.study = Path(self.config["results"], self.config["study"])
        path = run_path(self.study, self.names, self.config["seed"], list(hydra.overrides.task))
        self.directory = RunDirectory(path)

    def finished_summary(self) -> dict[str, Any] | None:
        """What the very same job left when it was run before, or None if it has yet to finish.

        Raises:
            ValueError: If the directory holds a run of another configuration.
        """
        stored = self.directory.read_config()
        if stored is None:
            return None
        # Where results lie is no part of what was run: folders get moved.
        mine, theirs = (dict(_leaves({**c, "results": None})) for c in (self.config, stored))
        differing = sorted(key for key in mine | theirs if mine.get(key) != theirs.get(key))
        if differing:
            listed = ", ".join(f"{k}={mine.get(k)} (there: {theirs.get(k)})" for k in differing)
            raise ValueError(
                f"{self.directory.path} holds a run of another configuration, which differs in {listed}; "
                "choose another study= or remove that directory"
            )
        summary = self.directory.read_summary()
        return summary if summary is not None and summary["status"] == "finished" else None

    def build(self) -> Run:
        """Make the run, which checks everything about it and writes nothing.

        Raises:
            ValueError: If the configuration cannot be run.
        """
        self._require_place()
        return _run_of(self.config)(self.config, self.names)

    def check(self) -> None:
        """Make sure that the job has been done or can be.

        Raises:
            ValueError: If it cannot be run.
        """
        if self.finished_summary() is None:
            self._require_place()
            _run_of(self.config)({**self.config, "n_workers": 0}, self.names)

    def _require_place(self) -> None:
        path = self.directory.path
        existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise ValueError(
                f"results={self.config['results']}: {existing} is no folder that can be written to"
            )


def _run_of(config: Mapping[str, Any]) -> type[Run]:
    return SimulatedRun if config["env"]["_target_"] is None else TrainingRun


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

"""What every run has in common: a curriculum, a directory, a summary, and an orderly end."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conf.build import build, target_of
from conf.schema import check_ranges
from envs.task_space import TaskSpace
from evaluation.curriculum_pictures import draw_pictures
from evaluation.episode_log import EpisodeLog
from evaluation.evaluate import TaskResult
from evaluation.figures import draw_curriculum
from evaluation.live_view import LiveView
from evaluation.run_directory import RunDirectory
from evaluation.snapshots import Snapshot, SnapshotLog
from scripts.refusal import blaming
from scripts.traits import run_name, traits_of, traits_of_all
from teachers.curriculum import Curriculum, Episode


class Watcher(Protocol):
    """Who wants to hear how a run is going."""

    def advance(self, step: int) -> None:
        """The student has made this many steps."""

    def hear_episode(self, episode: Episode) -> None:
        """An episode has finished."""

    def hear_evaluation(self, step: int, mastered_percent: float, return_mean: float) -> None:
        """The student has been tested after this many steps."""


class Run(ABC):
    """A teacher and a student, ready to go.

    Building a run checks everything in its configuration and writes nothing.

    Args:
        config: A resolved configuration, with the keys of `conf.schema.RunConfig`.
        names: What the config calls its env, teacher and student.

    Raises:
        ValueError: If the configuration cannot be run: key, value and what is allowed.

    Attributes:
        config: The configuration.
        curriculum: Between teacher and student.
    """

    def __init__(self, config: dict[str, Any], names: Mapping[str, str]) -> None:
        check_ranges(config)
        self.config = config
        self._names = dict(names)
        self._mastered_percent: float | None = None
        self._return_mean: float | None = None
        teacher_seed, episode_seed, student_seed = np.random.SeedSequence(config["seed"]).spawn(3)
        space = self._prepare()
        with self._blaming("teacher"):
            teacher = build(config["teacher"])(space=space, seed=teacher_seed)
            self.curriculum = Curriculum(teacher, space, episode_seed)
        self._make_student(student_seed)

    @abstractmethod
    def _prepare(self) -> TaskSpace:
        """Check and build what comes before the teacher; returns the tasks to choose from."""

    @abstractmethod
    def _make_student(self, seed: np.random.SeedSequence) -> None:
        """Build the student and what it plays in."""

    @abstractmethod
    def _learn(self, directory: RunDirectory, watcher: Watcher) -> None:
        """Learn to the end of the budget, logging evaluations in the directory."""

    @abstractmethod
    def _save(self, directory: RunDirectory) -> None:
        """Keep the student, however its learning ended."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of processes and worlds."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps made so far."""

    def execute(self, directory: RunDirectory, watcher: Watcher) -> dict[str, Any]:
        """Learn to the end of the budget, and leave everything in a directory.

        Whatever ends the learning, the directory holds all that was logged and a summary that says how it
        ended; an exception is passed on.

        Args:
            directory: Where the run leaves its files; what an earlier try left there is dropped.
            watcher: Hears how it goes.

        Returns:
            The content of `summary.json`.
        """
        directory.begin(self.config)
        episode_log = EpisodeLog(directory.episodes, self.curriculum.space)
        self.curriculum.listeners += [episode_log.add, watcher.hear_episode]
        self._view = LiveView(
            directory.path,
            run_name(self.config, directory.path),
            self.curriculum,
            traits_of(self.config, self._names),
            traits_of_all(),
        )
        started = time.monotonic()
        directory.write_summary(self._summary("running", 0.0))
        status = "failed"
        with ExitStack() as at_the_end:
            # In reverse order, each even if another fails.
            at_the_end.callback(
                lambda: directory.write_summary(self._summary(status, time.monotonic() - started))
            )
            at_the_end.callback(self._close)
            at_the_end.callback(lambda: self._view.close(status == "finished"))
            at_the_end.callback(self._save, directory)
            at_the_end.callback(episode_log.flush)
            try:
                self._learn(directory, watcher)
                status = "finished"
            except KeyboardInterrupt:
                status = "interrupted"
                raise
        draw_curriculum(directory)
        if self.config["pictures"]:
            draw_pictures(directory)
        return directory.read_summary() or {}

    def _evaluated(
        self,
        directory: RunDirectory,
        watcher: Watcher,
        mastered_percent: float,
        return_mean: float,
        results: Sequence[TaskResult] = (),
        competence: NDArray[np.float64] | None = None,
    ) -> None:
        """To be called after each evaluation, once it is logged.

        Args:
            directory: Where it was logged.
            watcher: To be told.
            mastered_percent: Percentage of the test tasks that were mastered.
            return_mean: Mean return over them.
            results: One row per test task, if there are any.
            competence: What a simulated student can do, in [0, 1], with one axis per parameter that matters.
        """
        self._mastered_percent, self._return_mean = mastered_percent, return_mean
        plane = competence if self.curriculum.space.dim == 2 else None
        snapshot = Snapshot(self.steps, self.curriculum.teacher.focus(), plane)
        SnapshotLog(directory.snapshots).add(snapshot)
        self._view.add_evaluation(self.steps, mastered_percent, results, competence)
        watcher.hear_evaluation(self.steps, mastered_percent, return_mean)

    def _blaming(self, group: str) -> AbstractContextManager[None]:
        """Let what a component says of its arguments name the choice it is."""
        return blaming(f"{group}={self._names[group]}")

    def _summary(self, status: str, seconds: float) -> dict[str, Any]:
        return {
            "status": status,
            **self._names,
            "seed": self.config["seed"],
            "total_steps": self.config["total_steps"],
            "steps": self.steps,
            "episodes": self.curriculum.episodes,
            "mastered_percent": self._mastered_percent,
            "return_mean": self._return_mean,
            "wall_seconds": round(seconds, 2),
            "steps_per_second": round(self.steps / seconds, 1) if seconds else 0.0,
        }


def require_class(node: Mapping[str, Any], base: type, otherwise: str) -> None:
    """Make sure that a node's `_target_` is a class of the right kind.

    Raises:
        ValueError: Saying what it is `otherwise`, if it is not.
    """
    target = target_of(node)
    if not (isinstance(target, type) and issubclass(target, base)):
        raise ValueError(f"_target_={node['_target_']} {otherwise}")

"""What every run has in common: a curriculum, a directory, a summary, and an orderly end."""

from __future__ import annotations

import errno
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..conf.build import blaming, build, target_of
from ..conf.schema import check_ranges
from ..envs.env_info import EnvInfo
from ..evaluation.evaluate import TaskResult
from ..teachers.curriculum import Curriculum
from ..teachers.episode import Episode
from .checkpointer import Checkpointer
from .episode_log import EpisodeLog
from .hparams import hparam_names, hparams_of, run_name
from .live_view import LiveView
from .run_directory import RunDirectory, installed_versions
from .run_lock import RunLock
from .run_pictures import draw_curriculum, draw_teacher
from .snapshots import Snapshot, SnapshotLog


class Watcher(Protocol):
    """Who wants to hear how a run is going."""

    def advance(self, step: int) -> None:
        """The student has made this many steps."""

    def hear_resume(self, step: int, notices: Sequence[str]) -> None:
        """The run goes on from a checkpoint after this many steps; something was odd about it, if so told."""

    def hear_episode(self, episode: Episode) -> None:
        """An episode has finished."""

    def hear_evaluation(self, step: int, mastered_percent: float, return_mean: float) -> None:
        """The student has been tested after this many steps."""


_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class DiskError(OSError):
    """A run cannot write what it has to keep."""


class LogFile(Protocol):
    """A log that a run writes to, and that is cut back to what it held at a checkpoint."""

    @property
    def length(self) -> int:
        """Bytes of the file."""


class Run(ABC):
    """A teacher and a student, ready to go.

    Building a run checks everything in its configuration and writes nothing.

    Args:
        config: A resolved configuration, with the keys of `chiron.conf.schema.RunConfig`.
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
        self._seconds = 0.0
        teacher_seed, episode_seed, student_seed = np.random.SeedSequence(config["seed"]).spawn(3)
        info = self._prepare()
        with self._blaming("teacher"):
            teacher = build(config["teacher"])(space=info.task_space, seed=teacher_seed)
            self.curriculum = Curriculum(teacher, info, episode_seed)
        self._make_student(student_seed)

    @abstractmethod
    def _prepare(self) -> EnvInfo:
        """Check and build what comes before the teacher; returns the tasks to choose from."""

    @abstractmethod
    def _make_student(self, seed: np.random.SeedSequence) -> None:
        """Build the student and what it plays in."""

    @abstractmethod
    def _open_evaluations(self, path: Path, length: int) -> LogFile:
        """Open the log of evaluations, keeping so many bytes of it."""

    @abstractmethod
    def _learn(self, watcher: Watcher, checkpointer: Checkpointer) -> None:
        """Learn to the end of the budget, logging evaluations and letting the checkpointer hear."""

    @abstractmethod
    def _student_state(self) -> dict[str, Any]:
        """All that student and worlds need to go on exactly from here."""

    @abstractmethod
    def _load_student_state(self, state: dict[str, Any]) -> None:
        """Go on from what `_student_state` returned; the curriculum has already."""

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

        If the directory holds a checkpoint, the run goes on from it, as if it had never stopped; without one,
        what an earlier try left there is dropped. Whatever ends the learning, the directory holds all that
        was logged and a summary that says how it ended; an exception is passed on.

        Args:
            directory: Where the run leaves its files.
            watcher: Hears how it goes.

        Returns:
            The content of `summary.json`.

        Raises:
            DirectoryBusyError: If another process works in the directory.
            CheckpointError: If the directory holds checkpoints and none can be used.
            DiskError: If the disk is full or gone.
        """
        with RunLock(directory.lock):
            try:
                self._resume_or_begin(directory, watcher)
                return self._execute(directory, watcher)
            except OSError as error:
                if error.errno not in _DISK_FAULTS:
                    raise
                raise DiskError(
                    f"{directory.path} cannot be written to any more: {os.strerror(error.errno)}; what was "
                    "logged stays readable, and the same command goes on from the last checkpoint"
                ) from error
            finally:
                self._close()

    def _resume_or_begin(self, directory: RunDirectory, watcher: Watcher) -> None:
        begun = directory.read_config() is not None
        state, notices = directory.newest_checkpoint() if begun else (None, [])
        empty: dict[str, Any] = {"episodes": 0, "snapshots": 0, "evaluations": 0}
        logs = empty if state is None else state["logs"]
        if state is None:
            directory.begin(self.config)
        else:
            directory.truncate_event_files(logs["events"])
        self._episode_log = EpisodeLog(directory.episodes, self.curriculum.space, logs["episodes"])
        self._snapshot_log = SnapshotLog(directory.snapshots, logs["snapshots"])
        self._evaluation_log = self._open_evaluations(directory.evaluations, logs["evaluations"])
        self._view = LiveView(
            directory.path,
            run_name(self.config, directory.path),
            self.curriculum,
            hparams_of(self.config, self._names),
            hparam_names(),
        )
        if state is not None:
            self._seconds = state["seconds"]
            self._mastered_percent, self._return_mean = state["mastered_percent"], state["return_mean"]
            self._view.load_state_dict(state["view"])
            self.curriculum.load_state_dict(state["curriculum"])
            self._load_student_state(state["student"])
            watcher.hear_resume(self.steps, [*notices, *_version_notices(directory)])

    def _execute(self, directory: RunDirectory, watcher: Watcher) -> dict[str, Any]:
        self.curriculum.listeners += [self._episode_log.add, watcher.hear_episode]
        self._started = time.monotonic() - self._seconds
        directory.write_summary(self._summary("running"))
        checkpointer = Checkpointer(
            directory, self.config["checkpoint"], lambda: self._state(directory), self.steps
        )
        status, has_learned = "failed", False
        with ExitStack() as at_the_end:
            # In reverse order, each even if another fails.
            at_the_end.callback(lambda: directory.write_summary(self._summary(status)))
            with ExitStack() as after_learning:
                after_learning.callback(self._stop_the_clock)
                after_learning.callback(lambda: self._view.close(has_learned))
                after_learning.callback(self._save, directory)
                after_learning.callback(self._episode_log.flush)
                try:
                    self._learn(watcher, checkpointer)
                    has_learned = True
                except KeyboardInterrupt:
                    status = "interrupted"
                    raise
            draw_curriculum(directory)
            if self.config["pictures"]:
                draw_teacher(directory)
            status = "finished"
        directory.drop_checkpoints()
        return directory.read_summary() or {}

    def _state(self, directory: RunDirectory) -> dict[str, Any]:
        """Everything needed to go on exactly from here."""
        self._episode_log.flush()
        self._view.flush()
        return {
            "seconds": time.monotonic() - self._started,
            "mastered_percent": self._mastered_percent,
            "return_mean": self._return_mean,
            "view": self._view.state_dict(),
            "curriculum": self.curriculum.state_dict(),
            "student": self._student_state(),
            "logs": {
                "episodes": self._episode_log.parts,
                "snapshots": self._snapshot_log.length,
                "evaluations": self._evaluation_log.length,
                "events": directory.event_file_lengths(),
            },
        }

    def _stop_the_clock(self) -> None:
        self._seconds = time.monotonic() - self._started

    def _evaluated(
        self,
        watcher: Watcher,
        mastered_percent: float,
        return_mean: float,
        results: Sequence[TaskResult] = (),
        competence: NDArray[np.float64] | None = None,
    ) -> None:
        """To be called after each evaluation, once it is logged.

        Args:
            watcher: To be told.
            mastered_percent: Percentage of the test tasks that were mastered.
            return_mean: Mean return over them.
            results: One row per test task, if there are any.
            competence: What a simulated student can do, in [0, 1], with one axis per parameter that matters.
        """
        self._mastered_percent, self._return_mean = mastered_percent, return_mean
        plane = competence if self.curriculum.space.dim == 2 else None
        snapshot = Snapshot(self.steps, self.curriculum.teacher.focus(), plane)
        self._snapshot_log.add(snapshot)
        self._view.add_evaluation(self.steps, mastered_percent, results, competence)
        watcher.hear_evaluation(self.steps, mastered_percent, return_mean)

    def _blaming(self, group: str) -> AbstractContextManager[None]:
        """Let what a component says of its arguments name the choice it is."""
        return blaming(f"{group}={self._names[group]}")

    def _summary(self, status: str) -> dict[str, Any]:
        seconds = self._seconds
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


def _version_notices(directory: RunDirectory) -> list[str]:
    begun, now = directory.read_versions()["packages"], installed_versions()["packages"]
    changed = [
        f"{name} {begun.get(name)} then, {now[name]} now" for name in now if begun.get(name) != now[name]
    ]
    return [f"begun with other packages, so rounding may differ: {', '.join(changed)}"] if changed else []


def require_class(node: Mapping[str, Any], base: type, otherwise: str) -> None:
    """Make sure that a node's `_target_` is a class of the right kind.

    Raises:
        ValueError: Saying what it is `otherwise`, if it is not.
    """
    target = target_of(node)
    if not (isinstance(target, type) and issubclass(target, base)):
        raise ValueError(f"_target_={node['_target_']} {otherwise}")

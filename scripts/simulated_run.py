"""A run in which a simulated student learns: one that brings its own tasks and needs no world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.build import build
from envs.task_space import TaskSpace
from evaluation.run_directory import RunDirectory
from evaluation.whole_files import AppendFile, replacing
from scripts.checkpointer import Checkpointer
from scripts.run import Run, Watcher, require_class
from students.simulated_student import SimulatedStudent
from teachers.curriculum import Episode


class SimulatedRun(Run):
    """A teacher and a simulated student. One episode is one step; the student tells what it has mastered."""

    def _prepare(self) -> TaskSpace:
        node = self.config["student"]
        with self._blaming("student"):
            require_class(node, SimulatedStudent, "is no simulated student: it needs a world, by env=")
            student: SimulatedStudent = build(node)()
        return student.task_space

    def _make_student(self, seed: np.random.SeedSequence) -> None:
        self.student: SimulatedStudent = build(self.config["student"])(seed=seed)
        self.curriculum.return_range = self.student.return_range
        self.curriculum.mastered_return = self.student.mastered_return

    @property
    def steps(self) -> int:
        return self.curriculum.episodes

    def _open_evaluations(self, path: Path, length: int) -> AppendFile:
        self._evaluations = AppendFile(path, length)
        if not length:
            self._evaluations.append("step,mastered_percent\n")
        return self._evaluations

    def _learn(self, directory: RunDirectory, watcher: Watcher, checkpointer: Checkpointer) -> None:
        student, total, every = (
            self.student,
            self.config["total_steps"],
            self.config["evaluation"]["every_steps"],
        )

        def evaluate() -> None:
            self._evaluations.append(f"{self.steps},{student.mastered_percent}\n")
            self._evaluated(watcher, student.mastered_percent, student.return_mean)

        def hear_episode(episode: Episode) -> None:
            watcher.advance(self.steps)
            if self.steps % every == 0 or self.steps == total:
                evaluate()
            checkpointer.hear(self.steps)

        if self.steps == 0:
            evaluate()
        student.learn(self.curriculum, total, hear_episode)

    def _student_state(self) -> dict[str, Any]:
        return self.student.state_dict()

    def _load_student_state(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state)

    def _competence(self) -> NDArray[np.float64] | None:
        return self.student.competence_map if self.curriculum.space.dim == 2 else None

    def _save(self, directory: RunDirectory) -> None:
        with replacing(directory.competence) as file:
            np.save(file, self.student.competence_map)

    def _close(self) -> None:
        pass

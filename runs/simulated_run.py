"""A run in which a simulated student learns: one that brings its own tasks and needs no world."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..conf.build import build
from ..envs.env_info import EnvInfo
from ..students.curriculum_callback import curriculum_curves
from ..students.simulated.simulated_student import SimulatedStudent
from ..teachers.episode import Episode
from .checkpointer import Checkpointer
from .run import Run, Watcher, require_class
from .run_directory import RunDirectory
from .whole_files import AppendFile, replacing

_POINTS = 100
"""Of a curve in TensorBoard, at least."""


class SimulatedRun(Run):
    """A teacher and a simulated student. One episode is one step; the student tells what it has mastered."""

    def _prepare(self) -> EnvInfo:
        if self.config["videos"]:
            raise ValueError("videos=True needs a world: simulated students play in none")
        node = self.config["student"]
        with self._blaming("student"):
            require_class(node, SimulatedStudent, "is no simulated student: it needs a world, by env=")
            student: SimulatedStudent = build(node)()
        return student.info

    def _make_student(self, seed: np.random.SeedSequence) -> None:
        self.student: SimulatedStudent = build(self.config["student"])(seed=seed)

    @property
    def steps(self) -> int:
        return self.curriculum.episodes

    def _open_evaluations(self, path: Path, length: int) -> AppendFile:
        self._evaluations = AppendFile(path, length)
        if not length:
            self._evaluations.append("step,mastered_percent\n")
        return self._evaluations

    def _learn(self, watcher: Watcher, checkpointer: Checkpointer) -> None:
        student, total = self.student, self.config["total_steps"]
        every = self.config["evaluation"]["every_steps"]
        started, begun_at = time.monotonic(), self.steps

        def evaluate() -> None:
            percent, mean = student.mastered_percent, student.return_mean
            self._evaluations.append(f"{self.steps},{percent}\n")
            self._evaluated(watcher, percent, mean, competence=student.competence_map)
            record({"evaluation/mastered_percent": percent, "evaluation/return_mean": mean})

        def record(results: Mapping[str, float]) -> None:
            curves = curriculum_curves(self.curriculum, self._view.recent)
            speed = (self.steps - begun_at) / (time.monotonic() - started)
            for name, value in {**results, **curves, "speed/steps_per_second": speed}.items():
                self._view.logger.record(name, value)
            self._view.logger.dump(self.steps)

        def hear_episode(episode: Episode) -> None:
            watcher.advance(self.steps)
            if self.steps % every == 0 or self.steps == total:
                evaluate()
            elif self.steps % max(1, total // _POINTS) == 0:
                record({})
            checkpointer.hear(self.steps)

        if self.steps == 0:
            evaluate()
        student.learn(self.curriculum, total, hear_episode)

    def _student_state(self) -> dict[str, Any]:
        return self.student.state_dict()

    def _load_student_state(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state)

    def _save(self, directory: RunDirectory) -> None:
        with replacing(directory.competence) as file:
            np.save(file, self.student.competence_map)

    def _close(self) -> None:
        pass

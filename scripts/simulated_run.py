"""A run in which a simulated student learns: one that brings its own tasks and needs no world."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping

import numpy as np

from conf.build import build
from envs.task_space import TaskSpace
from evaluation.run_directory import RunDirectory
from scripts.run import Run, Watcher, require_class
from students.curriculum_callback import curriculum_curves
from students.simulated_student import SimulatedStudent
from teachers.curriculum import Episode

_POINTS = 100
"""Of a curve in TensorBoard, at least."""


class SimulatedRun(Run):
    """A teacher and a simulated student. One episode is one step; the student tells what it has mastered."""

    def _prepare(self) -> TaskSpace:
        if self.config["films"]:
            raise ValueError("films=True needs a world: simulated students play in none")
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

    def _learn(self, directory: RunDirectory, watcher: Watcher) -> None:
        total, every = self.config["total_steps"], self.config["evaluation"]["every_steps"]
        started, begun_at = time.monotonic(), self.steps
        with directory.evaluations.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["step", "mastered_percent"])

            def evaluate() -> None:
                student = self.student
                rows.writerow([self.steps, student.mastered_percent])
                file.flush()
                percent, mean = student.mastered_percent, student.return_mean
                self._evaluated(directory, watcher, percent, mean, competence=student.competence_map)
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

            evaluate()
            self.student.learn(self.curriculum, total, hear_episode)

    def _save(self, directory: RunDirectory) -> None:
        np.save(directory.competence, self.student.competence_map)

    def _close(self) -> None:
        pass

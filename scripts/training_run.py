"""One run, from a resolved configuration to a finished directory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from conf.build import build
from conf.schema import check_ranges
from envs.vector_workers import make_vector
from evaluation.callback import EvaluationCallback, EvaluationListener, mastered_percent, return_mean
from evaluation.episode_log import EpisodeLog
from evaluation.evaluate import TaskResult
from evaluation.evaluation_log import EvaluationLog
from evaluation.figures import draw_curriculum
from evaluation.run_directory import RunDirectory
from evaluation.task_sets import uniform_tasks
from students.curriculum_callback import CurriculumCallback
from students.curriculum_vec_env import CurriculumVecEnv
from teachers.curriculum import Curriculum

_EVALUATION_SLOTS = 16
"""Worlds that test tasks are played in; a constant, so that batches and their rounding never change."""


class TrainingRun:
    """A teacher, a student and their worlds, ready to train.

    Building a run checks everything in its configuration and writes nothing.

    Args:
        config: A resolved configuration, with the keys of `conf.schema.RunConfig`.
        names: What the config calls its env, teacher and student.

    Raises:
        ValueError: If the configuration cannot be run: key, value and what is allowed.
    """

    def __init__(self, config: dict[str, Any], names: Mapping[str, str]) -> None:
        check_ranges(config)
        self.config = config
        self.names = dict(names)
        device = _checked_device(config["device"])
        torch.set_num_threads(config["threads"])
        n_workers = min(config["n_workers"], config["n_envs"])
        teacher_seed, episode_seed, student_seed = np.random.SeedSequence(config["seed"]).spawn(3)

        with _blaming("env"):
            make_world = build(config["env"])
            space = make_world().get_wrapper_attr("task_space")
        with _blaming("teacher"):
            teacher = build(config["teacher"])(space=space, seed=teacher_seed)
            self.curriculum = Curriculum(teacher, space, episode_seed)
        with _blaming("env"):
            self.vec_env = CurriculumVecEnv([make_world] * config["n_envs"], self.curriculum, n_workers)
        with _blaming("student"):
            self.model = _build_student(
                config["student"],
                self.vec_env,
                seed=int(student_seed.generate_state(1)[0]),
                device=device,
            )
        evaluation = config["evaluation"]
        self._task_set = uniform_tasks(space, evaluation["n_tasks"], evaluation["seed"])
        slots = min(_EVALUATION_SLOTS, len(self._task_set))
        self._test_worlds = make_vector([make_world] * slots, n_workers)
        self._last_evaluation: list[TaskResult] | None = None

    def execute(
        self,
        directory: RunDirectory,
        callbacks: Sequence[BaseCallback] = (),
        evaluation_listeners: Sequence[EvaluationListener] = (),
    ) -> dict[str, Any]:
        """Train to the end of the budget, and leave everything in a directory.

        Whatever ends the training, the directory holds all that was logged and a summary that says how
        it ended; an exception is passed on.

        Args:
            directory: Where the run leaves its files; what an earlier try left there is dropped.
            callbacks: Further callbacks of Stable-Baselines3.
            evaluation_listeners: Told the results of each evaluation.

        Returns:
            The content of `summary.json`.
        """
        directory.begin(self.config)
        episode_log = EpisodeLog(directory.episodes, self.curriculum.space)
        evaluation_log = EvaluationLog(directory.evaluations, self.curriculum.space)
        self.curriculum.listeners.append(episode_log.add)
        self.model.set_logger(configure(str(directory.path), ["tensorboard"]))
        evaluation = EvaluationCallback(
            self._test_worlds,
            self._task_set,
            self.config["evaluation"]["every_steps"],
            [evaluation_log.add, self._remember_evaluation, *evaluation_listeners],
        )
        started = time.monotonic()
        status = "failed"
        directory.write_summary(self._summary("running", 0.0))
        try:
            self.model.learn(
                self.config["total_steps"],
                callback=[CurriculumCallback(self.curriculum), evaluation, *callbacks],
            )
            status = "finished"
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        finally:
            seconds = time.monotonic() - started
            episode_log.flush()
            self.model.logger.close()
            self.model.save(directory.model)
            normalizer = self.model.get_vec_normalize_env()
            if normalizer is not None:
                normalizer.save(str(directory.normalization))
            summary = self._summary(status, seconds)
            directory.write_summary(summary)
            self.vec_env.close()
            self._test_worlds.close()
        draw_curriculum(directory)
        return summary

    def _remember_evaluation(self, step: int, results: list[TaskResult]) -> None:
        self._last_evaluation = results

    def _summary(self, status: str, seconds: float) -> dict[str, Any]:
        steps = self.vec_env.steps
        results = self._last_evaluation
        return {
            "status": status,
            **self.names,
            "seed": self.config["seed"],
            "total_steps": self.config["total_steps"],
            "steps": steps,
            "episodes": self.curriculum.episodes,
            "mastered_percent": None if results is None else mastered_percent(results),
            "return_mean": None if results is None else return_mean(results),
            "wall_seconds": round(seconds, 2),
            "steps_per_second": round(steps / seconds, 1) if seconds else 0.0,
        }


def _build_student(node: Mapping[str, Any], vec_env: VecEnv, seed: int, device: str) -> BaseAlgorithm:
    settings = dict(node)
    normalization = settings.pop("vec_normalize")
    if normalization is not None:
        vec_env = VecNormalize(vec_env, **normalization)
    model: BaseAlgorithm = build(settings)(env=vec_env, seed=seed, device=device)
    return model


def _checked_device(device: str) -> str:
    kind = device.split(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device} must be auto, cpu, cuda or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device} needs a GPU and torch sees none: use device=cpu or auto")
    return device


@contextmanager
def _blaming(key: str) -> Iterator[None]:
    """Turn what a component says of its arguments into an error that names its part of the config."""
    try:
        yield
    except (ValueError, TypeError, AssertionError) as error:
        raise ValueError(f"{key}: {error}") from error

"""A run in which a Stable-Baselines3 student trains."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from conf.build import build
from envs.action_repeat import slowed_down
from envs.task_space import TaskSpace
from envs.vector_workers import make_vector
from evaluation.callback import EvaluationCallback, mastered_percent, return_mean
from evaluation.evaluate import TaskResult, evaluation_slots
from evaluation.evaluation_log import EvaluationLog
from evaluation.run_directory import RunDirectory
from evaluation.task_sets import uniform_tasks
from scripts.run import Run, Watcher, require_class
from students.curriculum_callback import CurriculumCallback
from students.curriculum_vec_env import CurriculumVecEnv


class TrainingRun(Run):
    """A teacher, a Stable-Baselines3 student, and the worlds it trains and is tested in."""

    def _prepare(self) -> TaskSpace:
        self._device = _checked_device(self.config["device"])
        torch.set_num_threads(self.config["threads"])
        with self._blaming("student"):
            require_class(
                self.config["student"],
                BaseAlgorithm,
                "is no algorithm of Stable-Baselines3 (simulated students need env=simulated)",
            )
        with self._blaming("env"):
            make_world = build(self.config["env"])
            space = _task_space_of(make_world())
        with self._blaming("student"):
            times = self.config["student"].get("action_repeat", 1)
            self._make_world = partial(slowed_down, make_world, times)
            self._make_world()
        return space

    def _make_student(self, seed: np.random.SeedSequence) -> None:
        config = self.config
        n_envs, n_workers = config["n_envs"], min(config["n_workers"], config["n_envs"])
        with self._blaming("env"):
            self._vec_env = CurriculumVecEnv([self._make_world] * n_envs, self.curriculum, n_workers)
        with self._blaming("student"):
            self.model = _build_algorithm(
                config["student"],
                self._vec_env,
                seed=int(seed.generate_state(1)[0]),
                device=self._device,
            )
        evaluation = config["evaluation"]
        self._task_set = uniform_tasks(self.curriculum.space, evaluation["n_tasks"], evaluation["seed"])
        slots = evaluation_slots(len(self._task_set))
        self._test_worlds = make_vector([self._make_world] * slots, n_workers)

    @property
    def steps(self) -> int:
        return self._vec_env.steps

    def _learn(self, directory: RunDirectory, watcher: Watcher) -> None:
        self.model.set_logger(configure(str(directory.path), ["tensorboard"]))
        log = EvaluationLog(directory.evaluations, self.curriculum.space)

        def hear_evaluation(step: int, results: list[TaskResult]) -> None:
            log.add(step, results)
            self._evaluated(directory, watcher, mastered_percent(results), return_mean(results))

        every_steps = self.config["evaluation"]["every_steps"]
        callbacks: list[BaseCallback] = [
            CurriculumCallback(self.curriculum),
            _Advance(watcher),
            EvaluationCallback(self._test_worlds, self._task_set, every_steps, hear_evaluation),
        ]
        self.model.learn(self.config["total_steps"], callback=callbacks)

    def _save(self, directory: RunDirectory) -> None:
        self.model.logger.close()
        self.model.save(directory.model)
        normalizer = self.model.get_vec_normalize_env()
        if normalizer is not None:
            normalizer.save(str(directory.normalization))

    def _close(self) -> None:
        self._vec_env.close()
        self._test_worlds.close()


class _Advance(BaseCallback):
    """Tells a watcher of every step."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher

    def _on_step(self) -> bool:
        self._watcher.advance(self.num_timesteps)
        return True


def _task_space_of(world: gym.Env[Any, Any]) -> TaskSpace:
    space = world.get_wrapper_attr("task_space") if world.has_wrapper_attr("task_space") else None
    if not isinstance(space, TaskSpace):
        raise ValueError(f"{world} has no task_space, so a teacher has nothing to choose")
    return space


def _build_algorithm(node: Mapping[str, Any], vec_env: VecEnv, seed: int, device: str) -> BaseAlgorithm:
    settings = dict(node)
    normalization = settings.pop("vec_normalize", None)
    settings.pop("action_repeat", None)
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

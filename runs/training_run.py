"""A run in which a Stable-Baselines3 student trains."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from ..conf.build import build
from ..envs.env_info import EnvInfo, env_info
from ..envs.vector.action_repeat import repeat_actions
from ..envs.vector.make_vec import make_vec
from ..evaluation.evaluate import TaskResult, evaluation_slots
from ..evaluation.metrics import mastered_percent, return_mean
from ..evaluation.task_sets import uniform_tasks
from ..students.curriculum_callback import CurriculumCallback
from ..students.curriculum_vec_env import CurriculumVecEnv
from ..students.forgetting import Forgetting
from ..students.training_state import TrainingState
from .checkpointer import Checkpointer
from .drawn_env import draw_without_display, drawn_world
from .evaluation_callback import EvaluationCallback, policy_of
from .evaluation_log import EvaluationLog
from .memory import require_batch_in_buffer, require_room_for_replay, require_room_for_worlds
from .run import Run, Watcher, require_class
from .run_directory import RunDirectory
from .speed_callback import SpeedCallback
from .student_videos import StudentVideos
from .whole_files import replacing


class TrainingRun(Run):
    """A teacher, a Stable-Baselines3 student, and the worlds it trains and is tested in."""

    _stored: dict[str, Any] | None = None

    def _prepare(self) -> EnvInfo:
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
            info = env_info(make_world())
        with self._blaming("student"):
            times = self.config["student"].get("action_repeat", 1)
            self._make_world = partial(repeat_actions, make_world, times)
            self._make_world()
        self._videos: StudentVideos | None = None
        if self.config["videos"]:
            draw_without_display()
            with self._blaming("env"):
                self._videos = StudentVideos(drawn_world(self.config["env"]), times)
        return info

    def _make_student(self, seed: np.random.SeedSequence) -> None:
        config = self.config
        n_envs, n_workers = config["n_envs"], min(config["n_workers"], config["n_envs"])
        with self._blaming("env"):
            require_room_for_worlds(self._make_world, n_envs)
            self._vec_env = CurriculumVecEnv([self._make_world] * n_envs, self.curriculum, n_workers)
        with self._blaming("student"):
            spaces = self._vec_env.observation_space, self._vec_env.action_space
            require_room_for_replay(config["student"], *spaces)
            require_batch_in_buffer(config["student"], n_envs)
            seed_of_student = int(seed.generate_state(1)[0])
            self.model = _build_algorithm(
                config["student"], self._vec_env, seed=seed_of_student, device=self._device
            )
            forget_every = config["student"].get("forget_every")
            self._forgetting = None if forget_every is None else Forgetting(forget_every, seed_of_student)
        evaluation = config["evaluation"]
        self._task_set = uniform_tasks(self.curriculum.space, evaluation["n_tasks"], evaluation["seed"])
        slots = evaluation_slots(len(self._task_set))
        self._test_worlds = make_vec(self._make_world, slots, n_workers=n_workers)

    @property
    def steps(self) -> int:
        return self._vec_env.steps

    def _open_evaluations(self, path: Path, length: int) -> EvaluationLog:
        self._evaluations = EvaluationLog(path, self.curriculum.space, length)
        return self._evaluations

    def _learn(self, watcher: Watcher, checkpointer: Checkpointer) -> None:
        self.model.set_logger(self._view.logger)

        def hear_evaluation(step: int, results: list[TaskResult]) -> None:
            self._evaluations.add(step, results)
            self._evaluated(watcher, mastered_percent(results), return_mean(results), results)
            if self._videos is not None:
                self._view.add_videos(step, self._videos.record(policy_of(self.model)))

        every_steps = self.config["evaluation"]["every_steps"]
        testing = EvaluationCallback(self._test_worlds, self._task_set, every_steps, hear_evaluation)
        self._stateful: dict[str, CurriculumCallback | EvaluationCallback | Forgetting] = {
            "curriculum": CurriculumCallback(self.curriculum, self._view.recent),
            "evaluation": testing,
        }
        if self._forgetting is not None:
            self._stateful["forgetting"] = self._forgetting
        model_state = None
        if self._stored is not None:
            model_state = self._stored["model"]
            for name, state in self._stored["callbacks"].items():
                self._stateful[name].load_state_dict(state)
        callbacks: list[BaseCallback] = [
            *self._stateful.values(),
            _Advance(watcher),
            SpeedCallback(lambda: testing.seconds),
            _AtRolloutStart(checkpointer, model_state),
        ]
        left = self.config["total_steps"] - self.model.num_timesteps
        self.model.learn(left, callback=callbacks, reset_num_timesteps=self._stored is None)

    def _student_state(self) -> dict[str, Any]:
        return {
            "model": TrainingState(self.model).state_dict(),
            "worlds": self._vec_env.state_dict(),
            "callbacks": {name: callback.state_dict() for name, callback in self._stateful.items()},
        }

    def _load_student_state(self, state: dict[str, Any]) -> None:
        self._stored = state
        TrainingState(self.model).load_state_dict(state["model"])
        self._vec_env.load_state_dict(state["worlds"])

    def _save(self, directory: RunDirectory) -> None:
        with replacing(directory.model) as file:
            self.model.save(file)
        normalizer = self.model.get_vec_normalize_env()
        if normalizer is not None:
            with replacing(directory.normalization) as file:
                normalizer.save(str(file))

    def _close(self) -> None:
        self._vec_env.close()
        self._test_worlds.close()
        if self._videos is not None:
            self._videos.close()


class _AtRolloutStart(BaseCallback):
    """Lets a checkpointer hear of every place where the state can be taken.

    Args:
        checkpointer: Who is to hear.
        stored: The state to go on from, whose rest is given back at the first of these places, or None.
    """

    def __init__(self, checkpointer: Checkpointer, stored: dict[str, Any] | None) -> None:
        super().__init__()
        self._checkpointer = checkpointer
        self._stored = stored

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self._stored is not None:
            TrainingState(self.model).load_at_rollout_start(self._stored)
            self._stored = None
        self._checkpointer.hear(self.num_timesteps)


class _Advance(BaseCallback):
    """Tells a watcher of every step."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher

    def _on_step(self) -> bool:
        self._watcher.advance(self.num_timesteps)
        return True


def _build_algorithm(node: Mapping[str, Any], vec_env: VecEnv, seed: int, device: str) -> BaseAlgorithm:
    settings = dict(node)
    normalization = settings.pop("vec_normalize", None)
    for key in ("action_repeat", "forget_every"):
        settings.pop(key, None)
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

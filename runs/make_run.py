"""Builds a run from an env, a teacher and a student; checks all of them and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from ..envs.env_info import EnvInfo, env_info
from ..envs.trainable_spaces import require_trainable
from ..envs.vector.action_repeat import repeat_actions
from ..envs.vector.make_vec import make_vec
from ..evaluation.evaluate import evaluation_slots
from ..evaluation.task_sets import uniform_tasks
from ..students.curriculum_vec_env import CurriculumVecEnv
from ..students.rehearsal import rehearse
from ..students.sb3_student import SB3Adapter, SB3Student
from ..students.simulated.simulated_learner import SimulatedLearner
from ..students.simulated.simulated_student import SimulatedStudent
from ..teachers.curriculum import Curriculum
from ..teachers.teacher import Teacher
from .best_student import BestStudent
from .blaming import Made, blaming, make_blaming
from .checkpointer import Checkpointer
from .device import require_device
from .drawn_env import draw_without_display, require_drawing
from .episode_log import EpisodeLog
from .evaluation_log import EvaluationLog
from .made_env import made_env
from .made_teacher import made_teacher
from .memory import (
    require_batch_in_buffer,
    require_room_for_envs,
    require_room_for_network,
    require_room_for_replay,
    require_room_for_rollout,
    require_room_for_tests,
)
from .pictures import Figure, Pictures, Videos
from .progress import ProgressDisplay
from .run import Run, RunCallback
from .run_directory import RunDirectory
from .settings import RunSettings, settings_from
from .snapshots import SnapshotLog
from .student_ranges import require_ranges
from .student_videos import StudentVideos
from .tensorboard import TensorBoard

_SET_BY_THE_RUN = {
    "teacher": {"space": "the env has the task space", "seed": "seed= seeds everything"},
    "student": {
        "env": "env= chooses the env",
        "seed": "seed= seeds everything",
        "device": "device= chooses it",
        "_init_setup_model": "a run needs a model",
    },
}
"""Arguments that the run passes to components itself, by group, and what to say if a user sets them."""

MakeEnv = Callable[..., gym.Env[Any, Any]]
Callbacks = Mapping[str, RunCallback | BaseCallback]


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        env: Makes an env; must accept `render_mode` if videos are recorded. None for simulated students.
        teacher: Makes a teacher from the keywords `space` and `seed`.
        student: A `BaseAlgorithm` that takes `env`, `seed` and `device` as keywords, or a `SimulatedStudent`
            that takes `seed`.
        adapter: Settings applied around an algorithm.
        names: Names of `env`, `teacher` and `student`, for messages and the summary.
        config: Content of `config.yaml`.
    """

    env: MakeEnv | None
    teacher: Callable[..., Teacher]
    student: partial[Any]
    adapter: SB3Adapter
    names: Mapping[str, str]
    config: Mapping[str, Any]

    def blaming(self, group: str) -> Any:
        """Prefix a component's errors about its arguments with the component's name."""
        return blaming(f"{group}={self.names[group]}")

    def made(self, group: str, make: Callable[[Any], Made]) -> Made:
        """Build something from a component; errors name the component and the offending argument."""
        return make_blaming(f"{group}={self.names[group]}", getattr(self, group), make)


def make_run(
    env: MakeEnv | None,
    teacher: Callable[..., Teacher],
    student: Callable[..., Any],
    directory: str | Path,
    callbacks: Sequence[RunCallback | BaseCallback] = (),
    **settings: Any,
) -> Run:
    """Make a run from Python, with the same callbacks as `chiron-train`.

    Args:
        env: An env class that declares a task space, or a partial of one; None for simulated students.
        teacher: A teacher class, or a partial of one.
        student: A Stable-Baselines3 algorithm, such as `functools.partial(PPO, "MlpPolicy")`, or a class of
            simulated students.
        directory: Directory that the run writes its files to and is resumed from.
        callbacks: Additional `RunCallback`s or Stable-Baselines3 callbacks.
        **settings: Fields of `RunSettings` (`evaluation` and `checkpoint` as dicts) and of `SB3Adapter`.

    Raises:
        ValueError: If it cannot be run; the message gives the key, its value and what is allowed.
    """
    adapter = SB3Adapter.taken_from(settings)
    run_settings: RunSettings = settings_from(RunSettings, settings)
    made = {"env": env, "teacher": teacher, "student": student}
    config: dict[str, Any] = {name: _described(component) for name, component in made.items()}
    config["student"] |= asdict(adapter)
    names = {name: str(node["_target_"]).rpartition(".")[2] for name, node in config.items()}
    student = student if isinstance(student, partial) else partial(student)
    parts = Parts(env, teacher, student, adapter, names, {**config, **asdict(run_settings)})
    named = {f"{type(callback).__name__}_{i}": callback for i, callback in enumerate(callbacks)}
    return assemble(
        parts, run_settings, directory, {**default_callbacks(), **named, "progress": ProgressDisplay()}
    )


def default_callbacks() -> dict[str, RunCallback]:
    """The callbacks that write the standard files of every run, by name."""
    return {
        "episode_log": EpisodeLog(),
        "evaluation_log": EvaluationLog(),
        "snapshots": SnapshotLog(),
        "tensorboard": TensorBoard(),
        "figure": Figure(),
        "best_student": BestStudent(),
    }


def assemble(
    parts: Parts, settings: RunSettings, directory: RunDirectory | str | Path, callbacks: Callbacks
) -> Run:
    """Build the parts of a run and assemble them.

    Args:
        parts: Env, teacher and student.
        settings: Budget, seeds, evaluations and checkpoints.
        directory: Directory that the run writes its files to.
        callbacks: `RunCallback`s and Stable-Baselines3 callbacks, by name.

    Raises:
        ValueError: If it cannot be run; the message gives the key, its value and what is allowed.
    """
    teacher_seed, episode_seed, student_seed = np.random.SeedSequence(settings.seed).spawn(3)
    of_run = {name: each for name, each in callbacks.items() if isinstance(each, RunCallback)}
    of_sb3 = {name: each for name, each in callbacks.items() if isinstance(each, BaseCallback)}
    for name in callbacks:
        if name not in of_run and name not in of_sb3:
            kind = type(callbacks[name]).__name__
            raise ValueError(f"callbacks.{name}={kind} must be a RunCallback or a BaseCallback of SB3")
    is_simulated = isinstance(parts.student.func, type) and issubclass(parts.student.func, SimulatedStudent)
    _require_kinds(parts, is_simulated)
    if is_simulated:
        if settings.videos:
            raise ValueError("videos=True needs an env: simulated students play in none")
        if of_sb3:
            raise ValueError(
                f"callbacks.{next(iter(of_sb3))} is a callback of SB3: simulated students call none"
            )
        simulated: SimulatedStudent = parts.made("student", lambda student: student(seed=student_seed))
        curriculum = _curriculum(parts, simulated.info, teacher_seed, episode_seed)
        learner = SimulatedLearner(simulated, curriculum, settings.n_envs)
        return _run(parts, learner, curriculum, settings, directory, of_run)
    torch.set_num_threads(settings.threads)
    require_device(settings.device)
    assert parts.env is not None
    env = made_env(f"env={parts.names['env']}", parts.env)
    with parts.blaming("env"):
        info = env_info(env)
        require_trainable(env.observation_space, env.action_space)
    n_envs, n_workers, tests = settings.n_envs, min(settings.n_workers, settings.n_envs), settings.evaluation
    make_env = partial(repeat_actions, parts.env, parts.adapter.action_repeat)
    # Must run before worker processes are started.
    require_room_for_tests(tests.n_tasks, info.task_space)
    with parts.blaming("student"):
        require_ranges({**parts.student.keywords, **asdict(parts.adapter)})
        make_env()
    with parts.blaming("env"):
        require_room_for_envs(make_env, n_envs)
    with parts.blaming("student"):
        require_room_for_replay(parts.student, env.observation_space, env.action_space)
        require_room_for_rollout(parts.student, env.observation_space, env.action_space, n_envs)
        require_room_for_network(parts.student, env.observation_space)
        require_batch_in_buffer(parts.student, n_envs)
    videos = _videos(parts, settings)
    curriculum = _curriculum(parts, info, teacher_seed, episode_seed)
    with parts.blaming("env"):
        vec_env = CurriculumVecEnv([make_env] * n_envs, curriculum, n_workers)
    test_set = uniform_tasks(info.task_space, tests.n_tasks, tests.seed)
    test_envs = make_vec(make_env, evaluation_slots(len(test_set)), n_workers=n_workers)

    def make_student(algorithm: Any) -> SB3Student:
        rehearse(algorithm, parts.adapter.normalized, vec_env)
        return SB3Student(
            algorithm,
            vec_env,
            test_envs,
            test_set,
            student_seed,
            parts.adapter,
            settings.device,
            list(of_sb3.values()),
        )

    student = parts.made("student", make_student)
    if videos is not None:
        of_run["videos"] = Videos(videos, student.policy)
    return _run(parts, student, curriculum, settings, directory, of_run)


def _run(
    parts: Parts,
    student: SB3Student | SimulatedLearner,
    curriculum: Curriculum,
    settings: RunSettings,
    directory: RunDirectory | str | Path,
    callbacks: Mapping[str, RunCallback],
) -> Run:
    with parts.blaming("teacher"), ExitStack() as if_refused:
        if_refused.callback(student.close)
        curriculum.teacher.require_student(
            f"student={parts.names['student']}", student.offers, settings.n_envs
        )
        if_refused.pop_all()
    more: dict[str, RunCallback] = {"pictures": Pictures()} if settings.pictures else {}
    # Last, because it saves the state of all other callbacks.
    more["checkpointer"] = Checkpointer(settings.checkpoint)
    return Run(student, curriculum, settings, directory, {**callbacks, **more}, parts.config, parts.names)


def _curriculum(
    parts: Parts, info: EnvInfo, teacher_seed: np.random.SeedSequence, episode_seed: np.random.SeedSequence
) -> Curriculum:
    key = f"teacher={parts.names['teacher']}"
    teacher = made_teacher(key, parts.teacher, info.task_space, teacher_seed)
    with parts.blaming("teacher"):
        return Curriculum(teacher, info, episode_seed)


def _require_kinds(parts: Parts, is_simulated: bool) -> None:
    for group, keys in _SET_BY_THE_RUN.items():
        component = getattr(parts, group)
        for key in keys.keys() & set(component.keywords if isinstance(component, partial) else ()):
            raise ValueError(f"{group}.{key} is set by the run: leave it out; {keys[key]}")
    kind = parts.student.func
    name = f"{kind.__module__}.{kind.__qualname__}"
    with parts.blaming("student"):
        if parts.env is None and not is_simulated:
            raise ValueError(f"_target_={name} is not a simulated student: it needs an env, by env=")
        is_algorithm = isinstance(kind, type) and issubclass(kind, BaseAlgorithm)
        if parts.env is not None and not is_algorithm:
            raise ValueError(
                f"_target_={name} is not an algorithm of Stable-Baselines3 "
                "(simulated students need env=simulated)"
            )


def _videos(parts: Parts, settings: RunSettings) -> StudentVideos | None:
    if not settings.videos:
        return None
    assert parts.env is not None
    draw_without_display()
    with parts.blaming("env"):
        drawn = require_drawing(parts.env(render_mode="rgb_array"), "rgb_array")
        return StudentVideos(drawn, parts.adapter.action_repeat)


def _described(component: Any) -> dict[str, Any]:
    """A component in the form used by configurations."""
    if component is None:
        return {"_target_": None}
    if not isinstance(component, partial):
        return {"_target_": f"{component.__module__}.{component.__qualname__}"}
    policy = {"policy": component.args[0]} if component.args else {}
    return {**_described(component.func), **_written({**policy, **component.keywords})}


def _written(value: Any) -> Any:
    """A YAML-serializable value: arrays as lists; classes, functions and other objects by name."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in value]
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"

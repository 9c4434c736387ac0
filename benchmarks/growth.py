"""How a long run and a large study grow: files, bytes, memory, and loading times."""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from chiron.conf.compose import composed
from chiron.envs import StumpTracks, env_info
from chiron.evaluation.evaluate import TaskResult
from chiron.evaluation.evaluation import Evaluation
from chiron.evaluation.task_sets import uniform_tasks
from chiron.runs.make_run import default_callbacks
from chiron.runs.run import Run, RunCallback
from chiron.runs.run_directory import RunDirectory
from chiron.runs.settings import EvaluationSettings, RunSettings
from chiron.students.curriculum_callback import curriculum_curves
from chiron.students.student import LearningEvents
from chiron.teachers import ALPGMM, Curriculum, Random, Teacher
from chiron.teachers.recent_episodes import RecentEpisodes
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.logger import Logger
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from benchmarks.comparison import measure_comparison

_EVALUATION_EVERY, _CHECKPOINT_EVERY, _CURRICULUM_EVERY = 500_000, 200_000, 2_000
_CURVES = ("actor_loss", "critic_loss", "ent_coef", "ent_coef_loss", "learning_rate", "n_updates")
_NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
_STUDY_STEPS, _CONDITIONS = 2_000_000, 10


@dataclass(frozen=True)
class Script:
    """How a run that is written without training behaves.

    Attributes:
        teacher: Its teacher.
        length: Steps of an episode.
        dump_every: Episodes between two points of the student's curves: four with Stable-Baselines3's SAC, a
            rollout with PPO.
    """

    teacher: Callable[..., Teacher]
    length: int
    dump_every: int


SCRIPTS = {
    "episodes of 400 steps": Script(ALPGMM, 400, 4),
    "episodes of 20 steps": Script(Random, 20, 4),
}
_OF_STUDY = Script(ALPGMM, 400, 20)


class ScriptedStudent:
    """A student that learns nothing; its returns rise during training.

    Args:
        curriculum: Curriculum that it plays.
        script: How it plays and logs.
        seed: Seeds its returns.
    """

    def __init__(self, curriculum: Curriculum, script: Script, seed: int) -> None:
        self.steps = 0
        self._curriculum = curriculum
        self._script = script
        self._rng = np.random.default_rng(seed)
        self._recent = RecentEpisodes(curriculum)
        self._test_set = uniform_tasks(curriculum.space, 50, 0)
        self._skill = 0.0

    @property
    def scheduled(self) -> Sequence[str]:
        return ()

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        events.on_training_start()
        recorded = 0
        while self.steps < total_steps:
            events.on_rollout_start()
            self._skill = 300 * self.steps / total_steps
            for slot in range(self._script.dump_every):
                self._curriculum.next_task(slot)
                self.steps += self._script.length
                self._curriculum.finish(
                    slot,
                    episode_return=float(self._rng.normal(self._skill, 50)),
                    length=self._script.length,
                    step=self.steps,
                    success=bool(self._skill > 230),
                )
            events.on_step()
            for curve in _CURVES:
                logger.record(f"train/{curve}", self._skill)
            logger.record("time/fps", 1_000)
            if self.steps - recorded >= _CURRICULUM_EVERY:
                recorded = self.steps
                for name, value in curriculum_curves(self._curriculum, self._recent).items():
                    logger.record(name, value)
            logger.dump(self.steps)
        events.on_training_end()

    def evaluate(self) -> Evaluation:
        returns = self._rng.normal(self._skill, 50, len(self._test_set.tasks)).tolist()
        rows = [
            TaskResult(index, task, value, self._script.length, value > 230)
            for index, (task, value) in enumerate(zip(self._test_set.tasks, returns, strict=True))
        ]
        mastered = 100 * float(np.mean([row.mastered for row in rows]))
        return Evaluation(self.steps, mastered, float(np.mean(returns)), rows)

    def state_dict(self) -> dict[str, Any]:
        return {"recent": self._recent.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write nothing: the size of a model is constant."""

    def close(self) -> None:
        """Nothing to release."""


class _Checkpoints(RunCallback):
    """Saves the state at even intervals.

    Attributes:
        most_files: Largest number of files that the run had at a checkpoint.
    """

    def __init__(self) -> None:
        self.most_files = 0
        self._next = 0

    def on_rollout_start(self, run: Run) -> None:
        if run.steps < self._next:
            return
        self._next = run.steps + _CHECKPOINT_EVERY
        run.save_checkpoint()
        self.most_files = max(self.most_files, len(_files(run.directory.path)))


@dataclass(frozen=True)
class Growth:
    """Size of a run.

    Attributes:
        steps: Training steps.
        episodes: Training episodes.
        files: Files of the finished run.
        most_files: Largest number of files, at a checkpoint or at the end.
        bytes: Size of all files of the finished run.
        event_bytes: Size of TensorBoard's files among them.
        memory_bytes: Growth of the process.
        tensorboard_seconds: CPU time of loading the run with TensorBoard's reader.
    """

    steps: int
    episodes: int
    files: int
    most_files: int
    bytes: int
    event_bytes: int
    memory_bytes: int
    tensorboard_seconds: float


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Write long runs and a large study with every run's default callbacks; print and return their size.

    Args:
        console: Where to print.
        options: `training_steps` of a run, and number of `runs` in the study.
    """
    table = Table(title=f"A run of {options.training_steps:,} steps")
    for heading in ("", "episodes", "files", "at most", "MiB", "event file", "memory", "TensorBoard"):
        table.add_column(heading, justify="right" if heading else "left")
    runs = {}
    with tempfile.TemporaryDirectory() as name:
        for label, script in SCRIPTS.items():
            with console.status(f"writing {label}"):
                growth = grow(Path(name) / str(script.length), options.training_steps, script)
            runs[label] = asdict(growth)
            table.add_row(
                label,
                f"{growth.episodes:,}",
                str(growth.files),
                str(growth.most_files),
                f"{growth.bytes / 2**20:.1f}",
                f"{growth.event_bytes / 2**20:.1f}",
                f"{growth.memory_bytes / 2**20:.0f} MiB",
                f"{growth.tensorboard_seconds:.1f} s",
            )
    console.print(table)
    with tempfile.TemporaryDirectory() as name, console.status("writing the study"):
        study = measure_study(Path(name), options.runs)
    console.print(
        f"A study of {study['runs']} runs of {_STUDY_STEPS:,} steps: {study['files']:,} files, "
        f"{study['bytes'] / 2**20:.0f} MiB. TensorBoard reads it in {study['tensorboard_seconds']:.0f} s of "
        f"CPU time, chiron-compare needs {study['compare_cpu_seconds']:.0f} s and "
        f"{study['compare_memory'] / 2**20:.0f} MiB.",
        highlight=False,
    )
    return {"runs": runs, "study": study}


def grow(folder: Path, steps: int, script: Script, seed: int = 0) -> Growth:
    """Write a run.

    Args:
        folder: Its directory.
        steps: Training steps.
        script: How it behaves.
        seed: Seeds teacher and student.
    """
    info = env_info(StumpTracks())
    curriculum = Curriculum(script.teacher(info.task_space, seed), info, seed)
    settings = RunSettings(total_steps=steps, seed=seed, evaluation=EvaluationSettings(_EVALUATION_EVERY))
    config = composed("env=stump_tracks", "teacher=alp_gmm") | {"seed": seed, "total_steps": steps}
    checkpoints = _Checkpoints()
    callbacks = {**default_callbacks(), "checkpoints": checkpoints}
    student = ScriptedStudent(curriculum, script, seed)
    before = _peak_memory()
    run = Run(student, curriculum, settings, folder, callbacks, config, _NAMES)
    run.execute()
    grown = _peak_memory() - before
    files = _files(folder)
    return Growth(
        run.steps,
        curriculum.episodes,
        len(files),
        max(checkpoints.most_files, len(files)),
        sum(file.stat().st_size for file in files),
        sum(file.stat().st_size for file in files if "tfevents" in file.name),
        grown,
        _tensorboard_seconds(folder),
    )


def measure_study(folder: Path, runs: int) -> dict[str, Any]:
    """Write a study of copies of ten runs, with different seeds and settings, and measure it.

    Args:
        folder: An empty folder.
        runs: Number of copies.
    """
    written = [folder / "written" / str(number) for number in range(_CONDITIONS)]
    for number, path in enumerate(written):
        grow(path, _STUDY_STEPS, _OF_STUDY, number)
    study = folder / "study"
    for number in range(runs):
        condition, seed = number % _CONDITIONS, number // _CONDITIONS
        directory = RunDirectory(study / f"fit_rate-{condition}" / f"seed{seed}")
        shutil.copytree(written[number % len(written)], directory.path)
        config, summary = directory.read_config() or {}, directory.read_summary() or {}
        config["teacher"]["fit_rate"] = 100 + condition
        directory.config.write_text(yaml.safe_dump(config | {"seed": seed}))
        directory.write_summary(summary | {"seed": seed})
    files = _files(study)
    size = sum(file.stat().st_size for file in files)
    tensorboard_seconds = _tensorboard_seconds(study)
    seconds, cpu_seconds, memory = measure_comparison(study)
    return {
        "runs": runs,
        "files": len(files),
        "bytes": size,
        "tensorboard_seconds": tensorboard_seconds,
        "compare_seconds": seconds,
        "compare_cpu_seconds": cpu_seconds,
        "compare_memory": memory,
    }


def _tensorboard_seconds(folder: Path) -> float:
    start = time.process_time()
    shown = EventMultiplexer()
    shown.AddRunsFromDirectory(str(folder))
    shown.Reload()
    return time.process_time() - start


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

"""The cost of checkpoints with the ALP-GMM paper's SAC settings, and how fast a run resumes from one."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from chiron.conf.compose import composed
from chiron.conf.configured_run import run_from
from chiron.runs.checkpoints import Checkpoint, Checkpoints
from chiron.runs.run import Run
from chiron.runs.run_directory import RunDirectory
from chiron.students.training_state import TrainingState
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import configure

_EVERY_SECONDS = 300
_EPISODES = 100_000
"""Episodes that a teacher has seen late in a run of 20 million steps; walkers rarely reach half as many."""
_SPEEDS = {"200 steps/s, as on two cores": 200, "20,000 steps/s, as wanted on a GPU": 20_000}
_NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "fast_sac"}


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Checkpoint a SAC student with two million transitions, print and return the measurements.

    Args:
        console: Where to print.
        options: `rounds`: number of timed checkpoints.
    """
    table = Table(title="A checkpoint every 5 minutes, 2 million transitions in the buffer")
    for heading in ("training at", "new transitions", "written", "a checkpoint", "at most", "of the time"):
        table.add_column(heading, justify="left" if heading == "training at" else "right")
    figures: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name, console.status("filling the buffer"):
        folder = Path(name)
        run, checkpoints = _make_run(), Checkpoints(folder)
        _play_episodes(run, rng)
        buffer: ReplayBuffer = _model_of(run).replay_buffer  # type: ignore[attr-defined]
        capacity = buffer.buffer_size * buffer.n_envs
        _fill(buffer, capacity, rng)
        checkpoints.save(Checkpoint(0, _state_of(run)))
        for label, speed in _SPEEDS.items():
            new = min(speed * _EVERY_SECONDS, capacity)
            seconds, written = [], []
            for _ in range(options.rounds):
                _fill(buffer, new, rng)
                before = _sizes(folder)
                start = time.perf_counter()
                checkpoints.save(Checkpoint((checkpoints.newest_step() or 0) + 1, _state_of(run)))
                seconds.append(time.perf_counter() - start)
                written.append(sum(size for path, size in _sizes(folder).items() if path not in before))
            median = float(np.median(seconds))
            figures[label] = {"new": new, "seconds": seconds, "bytes_written": written}
            table.add_row(
                label,
                f"{new:,}",
                f"{np.median(written) / 2**20:.0f} MiB",
                f"{median:.2f} s",
                f"{max(seconds):.2f} s",
                f"{100 * median / _EVERY_SECONDS:.2f}%",
            )
        run.student.close()
        start = time.perf_counter()
        again = _make_run()
        built = time.perf_counter() - start
        start = time.perf_counter()
        newest, _ = checkpoints.newest()
        assert newest is not None
        state = newest.state
        again.curriculum.load_state_dict(state["curriculum"])
        TrainingState(_model_of(again)).load_state_dict(state["model"])
        loaded = time.perf_counter() - start
        again.student.close()
    console.print(table)
    console.print(
        f"Resuming: {built:.1f} s to build the run, {loaded:.1f} s to read and check its state "
        f"({_EPISODES:,} episodes of ALP-GMM, {capacity:,} transitions).",
        highlight=False,
    )
    return {"checkpoints": figures, "building_seconds": built, "loading_seconds": loaded}


def _make_run() -> Run:
    config = composed(*(f"{group}={name}" for group, name in _NAMES.items()), "device=cpu")
    run = run_from(config, _NAMES, RunDirectory(Path()))
    _model_of(run).set_logger(configure(None, []))
    return run


def _model_of(run: Run) -> BaseAlgorithm:
    student: Any = run.student
    model: BaseAlgorithm = student.model
    return model


def _play_episodes(run: Run, rng: np.random.Generator) -> None:
    curriculum = run.curriculum
    for step in range(_EPISODES):
        curriculum.next_task(0)
        curriculum.finish(0, episode_return=float(rng.uniform(-100, 300)), length=400, step=400 * step)


def _fill(buffer: ReplayBuffer, transitions: int, rng: np.random.Generator) -> None:
    n = buffer.n_envs
    infos: list[dict[str, Any]] = [{}] * n
    for _ in range(transitions // n):
        observations = rng.standard_normal((n, 24), dtype=np.float32)
        buffer.add(observations, observations, observations[:, :4], observations[:, 0], np.zeros(n), infos)


def _state_of(run: Run) -> dict[str, Any]:
    return {"model": TrainingState(_model_of(run)).state_dict(), "curriculum": run.curriculum.state_dict()}


def _sizes(folder: Path) -> dict[tuple[Path, int], int]:
    stats = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {(path, stat.st_mtime_ns): stat.st_size for path, stat in stats.items()}

"""Synthetic studies with the files of real runs, written in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from chiron.runs.run_directory import RunDirectory

TEACHERS = {
    "alp_gmm": "chiron.teachers.alp_gmm.ALPGMM",
    "random": "chiron.teachers.random.Random",
    "riac": "chiron.teachers.riac.RIAC",
}


def configuration(teacher: str, seed: int, **changes: Any) -> dict[str, Any]:
    """A run's configuration; changes are given by dotted keys, with two underscores for a dot."""
    config: dict[str, Any] = {
        "env": {"_target_": "chiron.envs.walkers.stump_tracks.StumpTracks", "stump_height": [0.0, 3.0]},
        "teacher": {"_target_": TEACHERS[teacher]},
        "student": {"_target_": "stable_baselines3.PPO", "learning_rate": 0.001},
        "total_steps": 400,
        "seed": seed,
        "n_workers": 2,
        "study": "main",
        "results": "results",
        "evaluation": {"every_steps": 100, "n_tasks": 10, "seed": 0},
    }
    for key, value in changes.items():
        node = config
        *path, last = key.split("__")
        for part in path:
            node = node[part]
        node[last] = value
    return config


def write_run(
    folder: Path,
    teacher: str,
    seed: int,
    percents: Sequence[float] = (0, 10, 20, 30, 40),
    status: str = "finished",
    simulated: bool = False,
    tasks: int = 10,
    **changes: Any,
) -> RunDirectory:
    """A run with equally spaced evaluations up to its budget, which master `percents` of its tasks."""
    run = RunDirectory(folder / teacher / f"seed{seed}")
    run.path.mkdir(parents=True)
    if simulated:
        student = {"_target_": "chiron.students.simulated.toy_grid.ToyGrid", "cells": 10}
        changes = {"env": {"_target_": None}, "student": student, **changes}
    config = configuration(teacher, seed, **changes)
    run.config.write_text(yaml.safe_dump(config))
    total = config["total_steps"]
    run.write_summary(
        {
            "status": status,
            "env": "simulated" if simulated else "stump_tracks",
            "teacher": teacher,
            "student": "toy_grid" if simulated else "ppo",
            "seed": seed,
            "steps": total if status == "finished" else total // 2,
            "total_steps": total,
        }
    )
    run.versions.write_text(
        json.dumps({"python": "3.12.0", "platform": "a machine", "packages": {"numpy": "2"}})
    )
    steps = np.linspace(0, total, len(percents)).astype(int)
    if simulated:
        rows = pd.DataFrame({"step": steps, "mastered_percent": percents})
        cells = np.zeros(100)
        cells[: round(percents[-1])] = 1
        np.save(run.competence, cells.reshape(10, 10))
    else:
        rows = pd.concat(
            evaluation(step, percent, tasks) for step, percent in zip(steps, percents, strict=True)
        )
    rows.to_csv(run.evaluations, index=False)
    return run


def evaluation(step: int, percent: float, tasks: int) -> pd.DataFrame:
    """The rows of one evaluation: the first tasks are mastered, and the return falls from task to task."""
    rank = np.arange(tasks)
    return pd.DataFrame(
        {
            "step": step,
            "task_index": rank,
            "stump_height": 3 * rank / tasks,
            "obstacle_spacing": 6 - 6 * rank / tasks,
            "return": 3 * percent - 10 * rank,
            "length": 100,
            "mastered": rank < round(tasks * percent / 100),
        }
    )

"""Exports a trained student to a folder that can be published: tensors, configuration and a model card."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from ..envs.task_space import TaskSpace
from ..students.saved_student import NORMALIZATION, model_in, policy_tensors, save_tensors
from .export_arguments import require_export
from .printable import printable
from .run_directory import RunDirectory
from .task_pictures import draw_mastery
from .trained_student import TrainedStudent

_README, _MAP = "README.md", "mastery.png"
_OF_THE_MACHINE = ("host", "pid", "slurm_job", "files")
"""Keys removed from the summary of a published run."""
_CARD = """---
{header}
---

# {algorithm} on {env}, taught by {teacher}

A student of [Stable-Baselines3](https://stable-baselines3.readthedocs.io) that was trained with Chiron:
a teacher chose, episode by episode, which task of a parameterized env it trained on.

| env | teacher | student | seed | steps | test tasks mastered | mean return |
|---|---|---|---|---|---|---|
| {row} |

## What it has mastered

![Test tasks that are mastered]({map})

{n_tasks} test tasks, drawn uniformly from the whole task space with seed {test_seed},
each played once by the deterministic policy. The student is that of the {which}.

| parameter | from | to |
|---|---|---|
{ranges}

## Use

`pip install 'chiron-curricula[export]'`; then, where `folder` holds these files,

```python
from chiron import load_student

student = load_student("folder")
env = student.make_env()  # as in training
observation, info = env.reset(seed=0)
action, state = student.predict(observation)  # normalises as in training
```

`chiron-evaluate folder` plays a test set. Only tensors, numbers and text are read from the files:
nothing in them is executed.

## Files

| file | content |
|---|---|
| `model.safetensors` | the parameters of the policy |
| `normalization.npz` | means and deviations of observations, if it was trained on normalised ones |
| `config.yaml` | env, teacher, student and all settings of the run |
| `evaluations.csv` | every evaluation during training, one row per test task |
| `summary.json`, `versions.json` | result; Python and packages |

Made with Python {python}: {packages}.
"""
"""The model card."""


def export_student(student: TrainedStudent, folder: Path) -> None:
    """Write a student to a new folder that `load_student` and `chiron-evaluate` can read like a run.

    The folder appears only when complete. Nothing in it is pickled.

    Args:
        student: The student of a finished run.
        folder: A folder that is empty or does not exist.

    Raises:
        ValueError: If the run has not finished, its files are damaged, or the folder is not empty.
    """
    require_export(student.directory, folder)
    summary = student.directory.read_summary() or {}
    env = student.make_env()
    space: TaskSpace = env.get_wrapper_attr("task_space")
    env.close()
    student.directory.require_unchanged(student.directory.evaluations, student.directory.versions)
    evaluations = student.directory.read_evaluations()
    tested = evaluations[evaluations["step"] == _last_tested(evaluations, student.steps)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as temporary:
        place = Path(temporary) / "export"
        place.mkdir()
        _write(student, summary, tested, space, RunDirectory(place))
        if folder.exists():
            folder.rmdir()
        place.rename(folder)


def _write(
    student: TrainedStudent,
    summary: dict[str, Any],
    tested: pd.DataFrame,
    space: TaskSpace,
    export: RunDirectory,
) -> None:
    run = student.directory
    save_tensors(policy_tensors(model_in(student.folder)), student.steps, export.tensors)
    if (student.folder / NORMALIZATION).exists():
        shutil.copyfile(student.folder / NORMALIZATION, export.normalization)
    # Paths of the original machine are private.
    config = {**(run.read_config() or {}), "results": "results"}
    export.write_config(config)
    shutil.copyfile(run.versions, export.versions)
    shutil.copyfile(run.evaluations, export.evaluations)
    mastered = tested["mastered"].to_numpy(bool)
    title = f"{100 * mastered.mean():.0f}% mastered after {student.steps:,} steps"
    tasks = tested[space.columns].to_numpy(np.float32)
    Image.fromarray(draw_mastery(space, title, tasks, mastered)).save(export.path / _MAP)
    shown = {key: value for key, value in summary.items() if key not in _OF_THE_MACHINE}
    shown |= {
        "mastered_percent": 100 * float(mastered.mean()),
        "return_mean": float(tested["return"].mean()),
    }
    (export.path / _README).write_text(_card(config, shown, student, run.read_versions(), tested, space))
    export.write_summary(shown)


def _last_tested(evaluations: pd.DataFrame, steps: int) -> int:
    """The step of the last evaluation of a student that was saved after the given steps."""
    tested = evaluations["step"]
    return int(tested[tested <= steps].max())


def _card(
    config: dict[str, Any],
    summary: dict[str, Any],
    student: TrainedStudent,
    versions: dict[str, Any],
    tested: pd.DataFrame,
    space: TaskSpace,
) -> str:
    env, teacher = (printable(summary[part]) for part in ("env", "teacher"))
    algorithm = str(config["student"]["_target_"]).rpartition(".")[2]
    mastered, mean = summary["mastered_percent"], summary["return_mean"]
    metrics = [
        {"type": "mean_reward", "name": "mean_reward", "value": round(mean, 2)},
        {"type": "mastered_percent", "name": "test tasks mastered (%)", "value": round(mastered, 1)},
    ]
    result = {
        "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
        "dataset": {"type": env, "name": env},
        "metrics": metrics,
    }
    header = {
        "library_name": "stable-baselines3",
        "tags": ["reinforcement-learning", "curriculum-learning", "chiron", env, teacher, algorithm],
        "model-index": [{"name": f"{algorithm}-{env}-{teacher}", "results": [result]}],
    }
    packages = ", ".join(f"{name} {version}" for name, version in versions["packages"].items() if version)
    ranges = "\n".join(
        f"| `{column}` | {low:g} | {high:g} |"
        for column, low, high in zip(space.columns, space.low, space.high, strict=True)
    )
    row = [env, teacher, printable(summary["student"]), str(summary["seed"])]
    row += [f"{student.steps:,}", f"{mastered:.0f}%", f"{mean:.1f}"]
    return _CARD.format(
        header=yaml.safe_dump(header, sort_keys=False).strip(),
        algorithm=algorithm,
        env=env,
        teacher=teacher,
        row=" | ".join(row),
        map=_MAP,
        n_tasks=len(tested),
        test_seed=config["evaluation"]["seed"],
        which="best evaluation" if student.is_best else "end of training",
        ranges=ranges,
        python=versions["python"],
        packages=packages,
    )

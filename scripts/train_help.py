"""`chiron-train --help`, generated from the configuration: its groups, choices and settings."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..conf.choices import GROUPS, choices_of, setting_rows

_USAGE = "Usage: chiron-train [-m] [group=choice ...] [key=value ...]"
_COMPONENTS = {
    "study=main": "Folder that collects runs to be compared.",
    "results=results": "Root folder of all results.",
    "objective=mastered": "What a search maximises: mastered, area (under the learning curve) or return.",
    "env.stump_height=[0,5]": "A range of the task space; a single number fixes a parameter.",
    "student.learning_rate=1e-3": "Any argument of the student's class.",
    "teacher.random_ratio=0.1": "Any argument of the teacher's class.",
    "'+callbacks.mine._target_=my_module.MyCallback'": "A callback of your own, or one of Stable-Baselines3.",
}
_EXAMPLES = {
    "chiron-train": "ALP-GMM teaches PPO on Stump Tracks.",
    "chiron-train debug=smoke": "The same in seconds, to see that everything works.",
    "chiron-train teacher=random seed=1 study=baseline": "Another teacher and seed, in another study.",
    "chiron-train student=sb3 student._target_=sb3_contrib.TQC +student.learning_rate=1e-3": (
        "Any algorithm of Stable-Baselines3 or sb3-contrib, with any of its arguments."
    ),
    "chiron-train -m teacher=alp_gmm,random seed=0,1,2": (
        "A sweep over every combination. The same command again resumes it."
    ),
    "chiron-train -m launcher=joblib teacher=alp_gmm,random seed=0,1,2": (
        "As many jobs at a time as this machine has cores, or hydra.launcher.n_jobs=4."
    ),
    "chiron-train sweeper=optuna 'teacher.random_ratio=interval(0.05,0.5)' seed=0,1,2": (
        "A search for good settings."
    ),
    "chiron-train experiment=paper/stump_tracks launcher=slurm hydra.launcher.partition=cpu": (
        "A published study, on a cluster."
    ),
    "chiron-train --config-dir my_conf teacher=mine": (
        "A teacher, env or student of your own: my_conf/teacher/mine.yaml."
    ),
}
_FLAGS = {
    "-m": "Sweep over all combinations of comma-separated values.",
    "--dry-run": "Print the table of jobs with their state instead of training.",
    "--cfg job": "Print the composed configuration instead of training.",
    "--hydra-help": "Print the options that every Hydra application has.",
}


def print_help(arguments: Sequence[str]) -> None:
    """Print the help of `chiron-train`.

    Args:
        arguments: Arguments of the command line; a `--config-dir` among them adds its choices.
    """
    width = min(shutil.get_terminal_size().columns, 100)
    print("chiron-train: train a student on tasks that a teacher chooses, and test what it has mastered.\n")
    print(_USAGE)
    print("\nGroups and their choices")
    more = list(_config_folders(arguments))
    for group in GROUPS:
        _print_entry(f"{group}=", ", ".join(choices_of(group, *more)), width)
    print("\nSettings and their defaults")
    for key, value, text in setting_rows():
        _print_entry(f"{key}={value}", text, width)
    for title, entries in (
        ("Other settings", _COMPONENTS),
        ("Examples", _EXAMPLES),
        ("Flags", _FLAGS),
    ):
        print(f"\n{title}")
        for name, text in entries.items():
            _print_entry(name, text, width)
    print(
        "\nA run writes everything into <results>/<study>/<env>/<teacher>/<student>/seed<k>/. The same\n"
        "command again resumes a run that was stopped, and returns the result of one that is finished."
    )


def _config_folders(arguments: Sequence[str]) -> Iterator[Path]:
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before in ("--config-dir", "-cd"):
            yield Path(argument)
        elif argument.startswith("--config-dir="):
            yield Path(argument.partition("=")[2])


def _print_entry(name: str, text: str, width: int) -> None:
    column = 32
    lines = textwrap.wrap(text, width - column) or [""]
    if len(name) < column - 3:
        print(f"  {name:<{column - 2}}{lines[0]}")
        lines = lines[1:]
    else:
        print(f"  {name}")
    for line in lines:
        print(" " * column + line)

"""Heavy libraries are imported only when needed: `--help` and errors must be quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"matplotlib", "numba", "optuna", "pandas", "scipy", "stable_baselines3", "tensorboard", "torch"}
HELPS = [f"{name} --help" for name in ("compare", "evaluate", "export", "picture", "train")]
REFUSED = (
    "check env=nope",
    "compare .",
    "compare nowhere",
    "evaluate nowhere",
    "evaluate . --episodes 0",
    "evaluate . --on nope",
    "export nowhere",
    "picture nowhere",
    "train env=nope",
    "train evaluation.n_tasks=0",
    "train sweeper=optuna",
    "train -m seed=0,-1",
    "train -m teacher=random,nope",
    "watch env=simulated out=a.gif",
    "watch out=a.xyz",
    "watch run=nowhere out=a.gif",
)
"""Typical mistakes of every command."""
REFUSED_BEFORE_TORCH = (
    "train device=gpu",
    "train student._target_=nope.PPO",
    "train student._target_=stable_baselines3.Nope",
    "train student._target_=sb3_contrib.tqc:Nope",
    "train student.n_steps=0",
    "train teacher.fit_rate=0",
)
"""Mistakes that are found after importing teachers, which need scipy."""


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules that a process loads to run some code."""
    code = f"import sys; {code}\nprint('LOADED', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return set(run.stdout.rpartition("LOADED")[2].split())


@pytest.mark.medium
@pytest.mark.parametrize(
    ("lines", "absent"), [((*HELPS, *REFUSED), HEAVY), (REFUSED_BEFORE_TORCH, HEAVY - {"scipy"})]
)
def test_help_and_refusals_do_without_heavy_libraries(
    lines: tuple[str, ...], absent: set[str], tmp_path: Path
) -> None:
    code = f"""
from importlib import import_module
for line in {lines}:
    command, *sys.argv[1:] = line.split()
    try:
        import_module(f"chiron.scripts.{{command}}").main()
        code = 0
    except SystemExit as exit_:
        code = exit_.code or 0
    assert code == (0 if "--help" in line else 2), (line, code)
"""
    assert loaded_by(code, tmp_path) & absent == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["teachers", "teachers.goal_gan", "teachers.setter_solver"], {"torch"}),
        (["runs.pictures", "runs.tensorboard", "runs.make_run"], {"matplotlib"}),
    ],
)
def test_heavy_libraries_are_imported_where_they_are_needed(
    modules: list[str], absent: set[str], tmp_path: Path
) -> None:
    assert loaded_by("; ".join(f"import chiron.{name}" for name in modules), tmp_path) & absent == set()

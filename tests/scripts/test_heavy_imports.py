"""What a command line does without until it is needed: `--help` and errors are to be quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"matplotlib", "numba", "pandas", "scipy", "stable_baselines3", "tensorboard", "torch"}


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            ["scripts.compare", "scripts.evaluate", "scripts.export", "scripts.picture", "scripts.watch"],
            HEAVY,
        ),
        (["teachers", "teachers.goal_gan", "teachers.setter_solver"], {"torch"}),
        (["runs.pictures", "runs.tensorboard", "runs.make_run"], {"matplotlib"}),
    ],
)
@pytest.mark.medium
def test_heavy_libraries_are_imported_where_they_are_needed(modules: list[str], absent: set[str]) -> None:
    imports = "; ".join(f"import chiron.{module}" for module in modules)
    code = f"import sys; {imports}; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.splitlines()) & absent == set()

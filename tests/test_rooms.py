"""The house rules that no type checker sees: which room may import which, and that names are ours."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
ROOMS = ("conf", "envs", "evaluation", "scripts", "students", "teachers")
ALLOWED = {
    "envs": {"envs"},
    "teachers": {"teachers", "envs.task_space"},
    "students": {"students", "envs", "teachers"},
    "evaluation": {"evaluation", "envs", "teachers"},
    "conf": {"conf"},
}
LEARNING_LIBRARIES = {"stable_baselines3", "sb3_contrib", "torch", "sklearn"}
CONFIGURATION_LIBRARIES = {"hydra", "omegaconf"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (HOME / room).rglob("*.py"))


def inside(module: str, allowed: set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in allowed)


@pytest.mark.parametrize("path", modules(*ALLOWED), ids=lambda path: str(path.relative_to(HOME)))
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(HOME).parts[0]
    ours = {name for name in imports_of(path) if name.split(".")[0] in ROOMS}
    assert {name for name in ours if not inside(name, ALLOWED[room])} == set()


@pytest.mark.parametrize("path", modules("envs"), ids=lambda path: path.name)
def test_worlds_know_no_learning_library(path: Path) -> None:
    # Arrays that stay on a GPU are torch's tensors.
    allowed = {"torch"} if path.name == "gpu_walkers.py" else set()
    assert (LEARNING_LIBRARIES - allowed).isdisjoint(name.split(".")[0] for name in imports_of(path))


@pytest.mark.parametrize(
    "path",
    modules("envs", "teachers", "students", "evaluation"),
    ids=lambda path: str(path.relative_to(HOME)),
)
def test_rooms_work_without_hydra(path: Path) -> None:
    assert CONFIGURATION_LIBRARIES.isdisjoint(name.split(".")[0] for name in imports_of(path))


def test_every_room_is_checked() -> None:
    assert set(ROOMS) == {path.parent.name for path in HOME.glob("*/__init__.py")} - {"tests"}


def test_a_package_that_shadows_a_room_is_named(tmp_path: Path) -> None:
    impostor = tmp_path / "students" / "__init__.py"
    impostor.parent.mkdir()
    impostor.touch()
    run = subprocess.run(
        [sys.executable, "-c", "import chiron; chiron.train()"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{HOME}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert str(impostor) in run.stderr
    assert "'students'" in run.stderr

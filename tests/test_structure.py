"""The structure that no type checker sees: which package may import which, and what is installed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
PACKAGES = ("envs", "teachers", "evaluation", "students", "runs", "analysis", "conf", "scripts")
ALLOWED = {
    "envs": {"envs"},
    "teachers": {"teachers", "envs"},
    "evaluation": {"evaluation", "envs"},
    "students": {"students", "teachers", "evaluation", "envs"},
    "runs": {"runs", "students", "teachers", "evaluation", "envs", "conf"},
    "analysis": {"analysis", "runs", "students", "teachers", "evaluation", "envs", "conf"},
    "conf": {"conf"},
    "scripts": set(PACKAGES),
}
"""What each package may import, itself included."""
LEARNING_LIBRARIES = {"stable_baselines3", "sb3_contrib", "torch", "sklearn"}
CONFIGURATION_LIBRARIES = {"hydra", "omegaconf"}


def module_name(path: Path) -> tuple[str, ...]:
    return path.relative_to(HOME).with_suffix("").parts


def imports_of(path: Path) -> Iterator[str]:
    """Modules that a file imports; the project's own as `envs.task_space`, wherever in the file it does."""
    package = module_name(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            yield from (".".join([*filter(None, base), alias.name]) for alias in node.names)


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (HOME / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(HOME))


@pytest.mark.parametrize("path", modules(*ALLOWED), ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    package = module_name(path)[0]
    ours = {name.split(".")[0] for name in imports_of(path)} & set(PACKAGES)
    assert ours <= ALLOWED[package]


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=name_of)
def test_own_modules_are_imported_relatively(path: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert not [node.module for node in nodes if node.level == 0 and (node.module or "").startswith("chiron")]


@pytest.mark.parametrize("path", modules("envs"), ids=lambda path: path.name)
def test_envs_know_no_learning_library(path: Path) -> None:
    # Arrays that stay on a GPU are torch's tensors.
    allowed = {"torch"} if path.name == "gpu_walkers.py" else set()
    assert (LEARNING_LIBRARIES - allowed).isdisjoint(name.split(".")[0] for name in imports_of(path))


@pytest.mark.parametrize("path", modules("envs", "teachers", "students", "evaluation"), ids=name_of)
def test_packages_work_without_hydra(path: Path) -> None:
    assert CONFIGURATION_LIBRARIES.isdisjoint(name.split(".")[0] for name in imports_of(path))


def test_every_package_is_checked_and_installed() -> None:
    found = {module_name(path)[:-1] for package in PACKAGES for path in (HOME / package).rglob("__init__.py")}
    settings = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == {"chiron", *(".".join(["chiron", *parts]) for parts in found)}
    others = {path.parent.name for path in HOME.glob("*/__init__.py")} - set(PACKAGES)
    assert others <= {"benchmarks", "tests"}


def test_folders_of_the_same_names_do_not_get_in_the_way(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('another project's package')\n")
    run = subprocess.run(
        [sys.executable, "-c", "import chiron.scripts.train, chiron; print(chiron.CurriculumVecEnv)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "CurriculumVecEnv" in run.stdout

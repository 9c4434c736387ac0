"""The recipe for a teacher in CONTRIBUTING.md, followed literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listing import copy_checkout

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
FILES = re.findall(r"`([\w/]+\.(?:py|yaml))`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, named as the package, with the files of the recipe."""
    checkout = tmp_path_factory.mktemp("contributor") / "chiron"
    copy_checkout(checkout)
    for name, text in FILES:
        (checkout / name).write_text(text)
    return checkout


def test_the_recipe_is_one_file_and_one_yaml() -> None:
    assert [name for name, _ in FILES] == ["teachers/easiest_first.py", "conf/teacher/easiest_first.yaml"]


@pytest.mark.slow
def test_the_new_teacher_passes_all_tests_of_teachers(checkout: Path) -> None:
    suites = ["tests/teachers/test_every_teacher.py", "tests/test_configs.py", "tests/test_structure.py"]
    suites += ["tests/test_docs.py"]
    structure = "point_one_way or relatively or without_hydra or functions or are_documented or one_place"
    chosen = f"easiest_first or (test_docs and names_choices) or presets or {structure}"
    output = run(checkout, "-m", "pytest", "-p", "no:cacheprovider", "-k", chosen, *suites)
    assert int(re.findall(r"(\d+) passed", output)[-1]) > 30


def test_the_new_teacher_has_the_style_of_the_project(checkout: Path) -> None:
    files = [name for name, _ in FILES if name.endswith(".py")]
    run(checkout, "-m", "ruff", "check", "--no-cache", *files)
    run(checkout, "-m", "ruff", "format", "--no-cache", "--check", *files)


def run(checkout: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(checkout.parent), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout

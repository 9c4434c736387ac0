"""The choices in `conf/`, found by listing and built as the command line builds them."""

from __future__ import annotations

import copy
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from chiron import conf
from chiron.conf import compose
from chiron.conf.build import build

CONF = Path(conf.__path__[0])


@cache
def _composed(*overrides: str) -> dict[str, Any]:
    return compose.composed(*overrides)


def composed(*overrides: str) -> dict[str, Any]:
    """The configuration of `chiron-train <overrides>`, composed once for all tests because it takes 0.1 s."""
    return copy.deepcopy(_composed(*overrides))


@cache
def names_in(group: str) -> list[str]:
    """The choices of a config group."""
    folder = CONF / group
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


def simulated_students() -> list[str]:
    """The choices of `student` that are simulated."""
    folder = CONF / "student"
    return [name for name in names_in("student") if "env=simulated" in (folder / f"{name}.yaml").read_text()]


def env_names() -> list[str]:
    """The choices of `env`, except the one for simulated students."""
    return [name for name in names_in("env") if name != "simulated"]


def build_teacher(name: str, **runtime: Any) -> Any:
    """A teacher as `teacher=name` builds it, but with small networks."""
    return build(composed(f"teacher={name}", *_SMALL.get(name, ()))["teacher"])(**runtime)


_SMALL = {"setter_solver": ["teacher.hidden=8"]}
"""Networks that train in milliseconds."""


def build_env(name: str) -> Any:
    """An env as `env=name` builds it."""
    return build(composed(f"env={name}")["env"])()


def copy_checkout(destination: Path) -> None:
    """Copy the files of this checkout that are, or could be, under version control; skips without git."""
    home = Path(__file__).parent.parent
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs git, and a clone")
    for name in filter(None, listed.stdout.split("\0")):
        if (home / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / name, destination / name)

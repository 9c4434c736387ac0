"""Pages of `docs/` whose files and commands must work as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listing import names_in

HOME = Path(__file__).parent.parent
README = (HOME / "README.md").read_text()
PAGE = (HOME / "docs" / "add_a_world.md").read_text()
FILES = re.findall(r"`([\w/]+\.(?:py|yaml))`[^`]*?:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SMALL = {
    "total_steps": "512",
    "n_envs": "2",
    "n_workers": "0",
    "seed": "0",
    "evaluation.every_steps": "512",
    "evaluation.n_tasks": "2",
    "student.n_steps": "256",
    "student.batch_size": "256",
}
"""What takes the place of a command's own numbers, so that it runs in seconds."""


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in a folder, with this checkout's commands."""
    words = shlex.split(line)
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    while "=" in words[0]:
        name, value = words.pop(0).split("=")
        environment[name] = os.pathsep.join([value, environment[name]])
    command, arguments = words[0], words[1:]
    if command == "chiron-train":
        arguments = [a for a in arguments if a.split("=")[0] not in SMALL]
        arguments += [f"{key}={value}" for key, value in SMALL.items()]
    if command != "python":
        arguments = ["-c", f"import chiron; chiron.{command.removeprefix('chiron-')}()", *arguments]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the files of the page."""
    folder = tmp_path_factory.mktemp("new_user")
    for name, text in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_page_has_the_files_and_commands_it_promises() -> None:
    assert [name for name, _ in FILES] == [
        "my_conf/env/mountain_car.yaml",
        "against_the_wind.py",
        "my_conf/env/against_the_wind.yaml",
    ]
    assert len(COMMANDS) == 9


def test_the_commands_work_one_after_another(folder: Path) -> None:
    for line in COMMANDS:
        finished = run(line, folder)
        assert (finished.returncode, finished.stderr) == (0, ""), line
        if "chiron-check" in line:
            assert "keeps the contract of a world" in finished.stdout
        if "chiron-train" in line:
            assert "finished" in finished.stdout


def test_a_mistake_is_refused_in_one_sentence(folder: Path) -> None:
    mistake = "env.parameters.pull.attribute=unwrapped.gravitas"
    for command in ("chiron-check", "chiron-train"):
        refused = run(f"{command} --config-dir my_conf env=mountain_car {mistake}", folder)
        assert refused.returncode == 2
        assert refused.stderr == (
            f"{command}: env=mountain_car: MountainCar-v0: pull: unwrapped.gravitas does not exist: "
            "MountainCarEnv has no 'gravitas', but gravity\n"
        )


def test_a_world_that_breaks_the_contract_is_told_so(folder: Path) -> None:
    sound = (folder / "against_the_wind.py").read_text()
    (folder / "forgetful.py").write_text(sound.replace('{"is_success": arrived} if', "{} if"))
    (folder / "my_conf" / "env" / "forgetful.yaml").write_text("_target_: forgetful.AgainstTheWind\n")
    broken = run("PYTHONPATH=. chiron-check --config-dir my_conf env=forgetful", folder)
    assert broken.returncode == 1
    assert broken.stderr.startswith("chiron-check: is_success must be in the info of the last step")


@pytest.mark.parametrize("group", ["env", "teacher", "student", "launcher", "experiment", "debug"])
def test_the_readme_names_every_choice(group: str) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{group}` |")]
    assert [name for name in names_in(group) if f"`{name}`" not in row] == []


def test_the_pictures_of_the_pages_are_there() -> None:
    for page in [HOME / "README.md", *(HOME / "docs").glob("*.md")]:
        for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / picture).is_file(), f"{page.name}: {picture}"


def test_the_commands_of_comparing_work_one_after_another(tmp_path: Path) -> None:
    page = (HOME / "docs" / "comparing.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines():
        finished = run(line.replace("--episodes 10", "--episodes 2"), tmp_path)
        assert (finished.returncode, finished.stderr) == (0, ""), line
    assert "uniform_v1" in (tmp_path / "answer" / "report.html").read_text()

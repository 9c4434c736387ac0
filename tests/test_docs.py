"""The pages: are links valid, and do files, commands and code work as written?"""

from __future__ import annotations

import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import Finished, run_here
from tests.listing import composed, names_in
from tests.test_structure import ALLOWED

HOME = Path(__file__).parent.parent
README = (HOME / "README.md").read_text()
CONFIGURATION = (HOME / "docs" / "configuration.md").read_text()
PAGES = sorted(
    [*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md"), *(HOME / "evaluation").rglob("*.md")],
    key=str,
)
PAGE = (HOME / "docs" / "add_an_env.md").read_text()
PAGES_WITH_COMMANDS = [
    *("docs/quickstart.md", "docs/add_an_env.md", "docs/add_a_walker.md"),
    *("docs/callbacks.md", "docs/comparing.md", "docs/domain_randomisation.md"),
]
"""Pages whose commands are run."""
PAGES_WITH_CODE = [
    *("README.md", "docs/quickstart.md", "docs/python_api.md", "docs/envs.md", "docs/callbacks.md"),
    *("docs/other_learners.md", "docs/gpu_simulators.md", "docs/domain_randomisation.md"),
]
"""Pages whose Python code is run."""
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
"""Values that replace a command's own, so that it runs in seconds."""
SHORTER = {
    r"\b\d+(_000)+\b": "256",
    r'PPO, "MlpPolicy"': r"\g<0>, n_steps=8",
    r"n_steps=512": "n_steps=32",
    r'\), "results/mine"': r"\g<0>, total_steps=256",
}
"""The same for Python code."""


def run(line: str, folder: Path) -> Finished:
    """Run a shell command in a folder: Python in a new process, Chiron's commands in this one."""
    words = shlex.split(line)
    has_own_modules = words[0] == "PYTHONPATH=."
    command, *arguments = words[1:] if has_own_modules else words
    if command == "python":
        command_line = [sys.executable, *arguments]
        done = subprocess.run(command_line, cwd=folder, capture_output=True, text=True, check=False)
        return Finished(done.returncode, done.stdout, done.stderr)
    if command == "chiron-train":
        arguments = [a for a in arguments if a.split("=")[0] not in SMALL]
        arguments += [f"{key}={value}" for key, value in SMALL.items()]
    with own_modules(folder) if has_own_modules else nullcontext():
        return run_here(folder, command, *arguments)


@contextmanager
def own_modules(folder: Path) -> Iterator[None]:
    """Like `PYTHONPATH=.` in a folder; its modules are unloaded afterwards."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").is_relative_to(folder):
            del sys.modules[name]


def files_of(page: str) -> list[tuple[str, str]]:
    """Names and texts of the files that a page shows in full."""
    return re.findall(r"`([\w/]+\.(?:py|yaml))`[^`]*?:\n\n```\w+\n(.*?)```", page, re.DOTALL)


def commands_of(page: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]


def write_files(page: str, folder: Path) -> None:
    for name, text in files_of(page):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_page(page: str, folder: Path) -> None:
    """Write the files that a page shows, and run its commands one after another."""
    write_files(page, folder)
    for line in commands_of(page):
        finished = run(line, folder)
        assert (finished.returncode, finished.stderr) == (0, ""), line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the files of the page."""
    folder = tmp_path_factory.mktemp("new_user")
    write_files(PAGE, folder)
    return folder


def test_the_page_has_the_files_and_commands_it_promises() -> None:
    assert [name for name, _ in files_of(PAGE)] == [
        "my_conf/env/mountain_car.yaml",
        "against_the_wind.py",
        "my_conf/env/against_the_wind.yaml",
    ]
    assert len(commands_of(PAGE)) == 9


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
def test_the_commands_work_one_after_another(folder: Path) -> None:
    for line in commands_of(PAGE):
        finished = run(line, folder)
        assert (finished.returncode, finished.stderr) == (0, ""), line
        if "chiron-check" in line:
            assert "keeps the contract of an env" in finished.stdout
        if "chiron-train" in line:
            assert "finished" in finished.stdout


@pytest.mark.medium
def test_a_mistake_is_refused_in_one_sentence(folder: Path) -> None:
    mistake = "env.parameters.pull.attribute=unwrapped.gravitas"
    for command in ("chiron-check", "chiron-train"):
        refused = run(f"{command} --config-dir my_conf env=mountain_car {mistake}", folder)
        assert refused.returncode == 2
        assert refused.stderr == (
            f"{command}: env=mountain_car: parameters.pull: MountainCar-v0: pull: unwrapped.gravitas does "
            "not exist: MountainCarEnv has no 'gravitas', but gravity\n"
        )


@pytest.mark.medium
def test_an_env_that_breaks_the_contract_is_told_so(folder: Path) -> None:
    sound = (folder / "against_the_wind.py").read_text()
    (folder / "forgetful.py").write_text(sound.replace('{"is_success": arrived} if', "{} if"))
    (folder / "my_conf" / "env" / "forgetful.yaml").write_text("_target_: forgetful.AgainstTheWind\n")
    broken = run("PYTHONPATH=. chiron-check --config-dir my_conf env=forgetful", folder)
    assert broken.returncode == 1
    assert broken.stderr.startswith("chiron-check: is_success must be in the info of the last step")


@pytest.mark.parametrize(
    "group", ["env", "teacher", "student", "callbacks", "launcher", "sweeper", "experiment", "debug"]
)
def test_the_page_on_configuration_names_choices_that_exist(group: str) -> None:
    """Not that it names all of them: `chiron-train --help` does."""
    (row,) = [line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{group}` |")]
    named = re.findall(r"`([\w/]+)`(?! *\))", row)[1:]
    assert set(named) <= set(names_in(group))


def test_the_page_on_configuration_has_the_defaults_of_a_run() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `?([^|`]+)`? \|", CONFIGURATION, re.MULTILINE)
    stated = {key: yaml.safe_load(default.replace(",", "")) for key, default in rows}
    config = composed()
    for group in ("env", "teacher", "student", "callbacks"):
        del config[group]
    assert stated == dict(flattened(config))


def flattened(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_blocks_that_no_test_runs_are_not_marked_as_run() -> None:
    """`sh` and `python` are run by the tests below; `console`, `py` and plain blocks are not."""
    for page in PAGES:
        name, text = str(page.relative_to(HOME)), page.read_text()
        assert name in PAGES_WITH_COMMANDS or "```sh\n" not in text, name
        files = [content for _, content in files_of(text)]
        code = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if block not in files]
        assert name in PAGES_WITH_CODE or not code, name


def test_the_readme_is_short_and_has_the_first_commands() -> None:
    assert len(README.split()) <= 700
    assert "make train" in README
    assert "make test" in README


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as generated by GitHub."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = [
        re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", h) for h in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_links_and_images_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", path):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_the_page_on_the_design_says_who_may_import_what() -> None:
    page = (HOME / "docs" / "design.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+|–) \|$", page, re.MULTILINE)
    stated = {package: {package, *re.findall(r"`(\w+)`", others)} for package, others in rows}
    assert stated == ALLOWED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_names_and_files_of_this_project_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`(chiron(?:\.\w+)+)", text):
        assert pkgutil.resolve_name(name) is not None
    for path in re.findall(r"`(tests/[\w./]+\.(?:py|sh))", text):
        assert (HOME / path).is_file(), path


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")  # EvalCallback's
@pytest.mark.parametrize("name", PAGES_WITH_CODE)
def test_the_python_code_of_a_page_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (HOME / name).read_text(), re.DOTALL)
    assert blocks
    variables: dict[str, Any] = {}
    for block in blocks:
        for real, small in SHORTER.items():
            block = re.sub(real, small, block)
        exec(block, variables)


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
def test_the_commands_of_comparing_work_one_after_another(tmp_path: Path) -> None:
    page = (HOME / "docs" / "comparing.md").read_text()
    for line in commands_of(page):
        line = line.replace("--episodes 10", "--episodes 2").replace("seed=0,1,2,3,4", "seed=0,1")
        finished = run(line, tmp_path)
        assert (finished.returncode, finished.stderr) == (0, ""), line
    assert "uniform_v1" in (tmp_path / "answer" / "report.html").read_text()


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
def test_the_commands_of_the_quickstart_work_one_after_another(tmp_path: Path) -> None:
    for line in commands_of((HOME / "docs" / "quickstart.md").read_text()):
        finished = run(line, tmp_path)
        assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "results" / "main" / "point_mass" / "alp_gmm" / "ppo").is_dir()


@pytest.mark.slow
def test_the_commands_of_walkers_of_ones_own_work_one_after_another(tmp_path: Path) -> None:
    page = (HOME / "docs" / "add_a_walker.md").read_text()
    run_page(page, tmp_path)
    assert (tmp_path / "long_legs.png").exists()
    assert (tmp_path / "tracks.png").exists()


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
def test_callbacks_of_ones_own_work_on_the_command_line(tmp_path: Path) -> None:
    page = (HOME / "docs" / "callbacks.md").read_text()
    write_files(page, tmp_path)
    for line in commands_of(page):
        finished = run(f"{line} study={len(list(tmp_path.glob('results/*')))}", tmp_path)
        assert finished.returncode == 0, finished.stderr
    (successes,) = tmp_path.glob("results/*/**/successes.txt")
    assert successes.read_text() == "0 0\n512 0\n"


@pytest.mark.slow
def test_the_commands_of_domain_randomisation_work_one_after_another(tmp_path: Path) -> None:
    page = (HOME / "docs" / "domain_randomisation.md").read_text()
    run_page(page, tmp_path)

"""Structure that no type checker checks: imports between packages, and the length of functions."""

from __future__ import annotations

import ast
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from tests.listing import copy_checkout

HOME = Path(__file__).parent.parent
PACKAGES = ("envs", "teachers", "evaluation", "students", "runs", "analysis", "conf", "scripts")
ALLOWED = {
    "envs": {"envs"},
    "teachers": {"teachers", "envs"},
    "evaluation": {"evaluation", "envs"},
    "students": {"students", "teachers", "evaluation", "envs"},
    "runs": {"runs", "students", "teachers", "evaluation", "envs"},
    "analysis": {"analysis", "runs", "students", "teachers", "evaluation", "envs", "conf"},
    "conf": {"conf", "runs", "students", "envs"},
    "scripts": set(PACKAGES),
}
"""What each package may import, itself included."""
LEARNING_LIBRARIES = {"stable_baselines3", "sb3_contrib", "torch", "sklearn"}
CONFIGURATION_LIBRARIES = {"hydra", "omegaconf"}
OPTIONAL_LIBRARIES = {
    "av",
    "cuda",
    "joblib",
    "mlflow",
    "mujoco",
    "numba_cuda",
    "ray",
    "safetensors",
    "sb3_contrib",
    "sbx",
    "submitit",
    "wandb",
}
"""Libraries that the core does not need."""
MOST_LINES = 80
MOST_PARAMETERS = 8
COMPONENTS = ("envs", "teachers", "students/simulated")
COMPILED = ("envs/walkers/engine/", "envs/walkers/layouts/track_layout.py")
"""Compiled kernels, whose functions may be longer and have more parameters."""
EXCESSIVE: set[str] = set()
"""Functions that still exceed the limits, as reported by the test."""
CIRCULAR: set[str] = set()
"""Modules that still import each other."""
WITHOUT_REASON: set[str] = set()
"""Modules with imports inside functions that are not yet justified."""


def module_name(path: Path) -> tuple[str, ...]:
    return path.relative_to(HOME).with_suffix("").parts


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


def own_module(node: ast.ImportFrom, path: Path) -> str:
    """The module named by `from .x import y`, such as `envs.x`."""
    package = module_name(path)[:-1]
    base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
    return ".".join(filter(None, base))


def imports_of(path: Path) -> Iterator[str]:
    """All modules that a file imports, also inside functions; the project's own as `envs.task_space`."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{own_module(node, path)}.{alias.name}" for alias in node.names)


@cache
def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (HOME / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(HOME))


def for_annotations(path: Path) -> set[ast.AST]:
    """The nodes under `if TYPE_CHECKING`."""
    guarded = [
        node
        for node in nodes_of(path)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return {inner for node in guarded for inner in ast.walk(node)}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in nodes_of(path) if isinstance(node, ast.FunctionDef))


# Each check is one test for all files: one test per file would take longer than the checks.


def roots(path: Path) -> set[str]:
    """The packages and libraries that a file imports from."""
    return {name.split(".")[0] for name in imports_of(path)}


def test_imports_point_one_way() -> None:
    wrong = {
        name_of(path): ours
        for path in modules(*ALLOWED)
        if (ours := (roots(path) & set(PACKAGES)) - ALLOWED[module_name(path)[0]])
    }
    assert wrong == {}


def test_own_modules_are_imported_relatively() -> None:
    wrong = [
        f"{name_of(path)}: {node.module}"
        for path in modules(*PACKAGES)
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("chiron")
    ]
    assert wrong == []


def test_envs_know_no_learning_library() -> None:
    # Arrays that stay on a GPU are torch tensors.
    wrong = [(path.name, name) for path in modules("envs") for name in roots(path) & LEARNING_LIBRARIES]
    assert wrong == [("gpu_vector_env.py", "torch")]


def test_packages_work_without_hydra() -> None:
    packages = ("envs", "teachers", "students", "evaluation")
    assert [name_of(path) for path in modules(*packages) if roots(path) & CONFIGURATION_LIBRARIES] == []


def test_no_modules_import_each_other() -> None:
    """Also not inside functions; annotations may name what imports the module."""
    graph = {}
    for path in modules(*PACKAGES):
        sources = set()
        for node in set(nodes_of(path)) - for_annotations(path):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = HOME / own_module(node, path).replace(".", "/")
                for alias in node.names:
                    candidates = (base / f"{alias.name}.py", base.with_suffix(".py"), base / "__init__.py")
                    sources.add(next(filter(Path.exists, candidates)))
        graph[path] = {source for source in sources if name_of(source) not in CIRCULAR}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(map(name_of, reversed(error.args[1]))))


def test_imports_inside_functions_have_a_reason() -> None:
    """It is that the library is optional, or a comment on the line or above it says it."""
    without = []
    for path in modules(*PACKAGES):
        lines = ["", *path.read_text().splitlines()]
        for node in (node for function in functions(path) for node in ast.walk(function)):
            if isinstance(node, ast.Import | ast.ImportFrom) and name_of(path) not in WITHOUT_REASON:
                first = node.lineno
                while lines[first - 1].lstrip().startswith(("import ", "from ")):
                    first -= 1  # one comment may cover several consecutive imports
                is_explained = "#" in lines[node.lineno] or lines[first - 1].lstrip().startswith("#")
                if not is_explained and not libraries(node) <= OPTIONAL_LIBRARIES:
                    without.append(f"{name_of(path)}:{node.lineno}: {lines[node.lineno]}")
    assert without == []


def test_optional_libraries_are_imported_where_they_are_used() -> None:
    # These modules are themselves imported where they are used.
    late = ("scripts/slurm_jobs.py", "envs/walkers/engine/gpu_kernels.py")
    early = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules(*PACKAGES)
        for node in parsed(path).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and libraries(node) & OPTIONAL_LIBRARIES
        and name_of(path) not in late
    ]
    assert early == []


def libraries(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.split(".")[0] for name in names}


def test_functions_are_short_and_have_few_parameters() -> None:
    found = []
    for path in modules(*PACKAGES, "benchmarks"):
        if name_of(path).startswith(COMPILED):
            continue
        for function in functions(path):
            lines = (function.end_lineno or 0) - function.lineno + 1
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = len([argument for argument in given if argument.arg not in ("self", "cls")])
            # A component's constructor takes the keys of its YAML, which are described there.
            is_component = function.name == "__init__" and name_of(path).startswith(COMPONENTS)
            if lines > MOST_LINES or (count > MOST_PARAMETERS and not is_component):
                found.append(f"{name_of(path)}:{function.name}: {lines} lines, {count} parameters")
    assert sorted(found) == sorted(EXCESSIVE)


@pytest.mark.medium
def test_public_names_are_documented() -> None:
    """Methods may be documented where they are declared: in a base class, or in a protocol."""
    names = dict(public_names())
    protocols = [member for member in names.values() if getattr(member, "_is_protocol", False)]
    declared = {
        key for protocol in protocols for key, value in vars(protocol).items() if inspect.getdoc(value)
    }
    undocumented = [
        name
        for name, member in names.items()
        if not inspect.getdoc(member) and name.rpartition(".")[2] not in declared
    ]
    assert len(undocumented) <= 0.01 * len(names), undocumented


def public_names() -> Iterator[tuple[str, object]]:
    """Public modules, classes, functions, methods and properties, by their full name."""
    for package in PACKAGES:
        module = import_module(f"chiron.{package}")
        for info in pkgutil.walk_packages(module.__path__, f"chiron.{package}."):
            try:
                found = import_module(info.name)
            except ImportError:
                continue  # an optional dependency is missing
            yield info.name, found
            for name, member in vars(found).items():
                if name.startswith("_") or getattr(member, "__module__", None) != info.name:
                    continue
                if inspect.isclass(member):
                    yield f"{info.name}.{name}", member
                    yield from (
                        (f"{info.name}.{name}.{key}", getattr(member, key))
                        for key, value in vars(member).items()
                        if not key.startswith("_")
                        and (
                            inspect.isfunction(value)
                            or isinstance(value, property | classmethod | staticmethod)
                        )
                    )
                elif inspect.isfunction(member):
                    yield f"{info.name}.{name}", member


def test_every_package_is_checked_and_installed() -> None:
    found = {module_name(path)[:-1] for package in PACKAGES for path in (HOME / package).rglob("__init__.py")}
    settings = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == {"chiron", *(".".join(["chiron", *parts]) for parts in found)}
    others = {path.parent.name for path in HOME.glob("*/__init__.py")} - set(PACKAGES)
    assert others <= {"benchmarks", "tests"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout for builds."""
    source = tmp_path_factory.mktemp("source") / "clone"
    copy_checkout(source)
    return source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with subfolders named like the packages, which cannot be imported."""
    for name in (*PACKAGES, "benchmarks", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('another package')\n")
    return tmp_path


@pytest.mark.medium
def test_works_from_this_checkout(project: Path) -> None:
    paths = [str(project), os.environ.get("PYTHONPATH", "")]
    run_python("import chiron.scripts.train, chiron; chiron.CurriculumVecEnv", project, *paths)


@pytest.mark.medium
def test_works_from_a_wheel(source: Path, project: Path) -> None:
    build("sdist", source, source / "dist")
    (archive,) = (source / "dist").glob("*.tar.gz")
    shutil.unpack_archive(archive, source / "unpacked", filter="data")
    (unpacked,) = (source / "unpacked").iterdir()
    build("wheel", unpacked, source / "dist")
    (wheel,) = (source / "dist").glob("*.whl")
    site = project / "site"
    shutil.unpack_archive(wheel, site, "zip")

    installed = {str(path.relative_to(site / "chiron")) for path in (site / "chiron").rglob("*.*")}
    kept = {name_of(path) for package in PACKAGES for path in (HOME / package).rglob("*.*") if path.is_file()}
    kept = {name for name in kept if "__pycache__" not in name and not name.endswith("LICENSE.box2d")}
    assert installed == {*kept, "__init__.py", "py.typed"}
    (metadata,) = site.glob("*.dist-info")
    assert {path.name for path in (metadata / "licenses").rglob("LICENSE*")} == {
        "LICENSE",
        "LICENSE.box2d",
    }
    assert {path.name for path in site.iterdir()} == {"chiron", metadata.name}

    code = (
        "import sys; from chiron.scripts import train; print(train.__file__); "
        "sys.argv[1:] = ['--help']; train.main()"
    )
    file, text = run_python(code, project, str(project), str(site)).split("\n", 1)
    assert Path(file).is_relative_to(site)
    assert "stump_tracks" in text


@pytest.mark.medium
def test_an_editable_installation_finds_new_files(source: Path, project: Path) -> None:
    build("editable", source, project / "dist")
    (wheel,) = (project / "dist").glob("*.whl")
    shutil.unpack_archive(wheel, project / "site", "zip")
    (source / "teachers" / "newcomer.py").write_text("NAME = 'newcomer'\n")
    package = source / "envs" / "new_family"
    package.mkdir()
    (package / "__init__.py").touch()
    code = (
        # Before what finds this checkout, should that be installed in the same way.
        "import site, sys; "
        "[sys.modules.pop(name) for name in [*sys.modules] if name.startswith('__editable__')]; "
        "sys.path.insert(0, 'site'); site.addsitedir('site'); sys.meta_path.insert(0, sys.meta_path.pop()); "
        "import chiron.envs.new_family; "
        "from chiron.teachers.newcomer import NAME; print(NAME)"
    )
    assert run_python(code, project, str(project)) == "newcomer\n"


def build(kind: str, source: Path, destination: Path) -> None:
    """Build a distribution as pip does, with the installed setuptools."""
    code = f"import setuptools.build_meta as backend; backend.build_{kind}({str(destination)!r})"
    destination.mkdir(exist_ok=True)
    run_python(code, source)


def run_python(code: str, folder: Path, *paths: str) -> str:
    """Run code in a new process; returns its output."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


IMPORTERS = {"envs/importing.py", "envs/registration.py"}
"""One imports names in configurations, the other lists the package's own modules."""


def test_names_of_configurations_are_imported_in_one_place() -> None:
    for path in modules(*PACKAGES):
        calls = [node.func for node in nodes_of(path) if isinstance(node, ast.Call)]
        called = {function.attr for function in calls if isinstance(function, ast.Attribute)}
        resolving = called & {"resolve_name", "import_module", "instantiate"}
        assert not resolving or name_of(path) in IMPORTERS, name_of(path)

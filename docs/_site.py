"""Hooks of mkdocs: pages that come from elsewhere in the repository, and links to them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import chiron
from chiron.conf import schema
from chiron.conf.choices import GROUPS, setting_rows
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

HOME = Path(__file__).parent.parent
EXAMPLES = [
    path.relative_to(HOME).as_posix()
    for path in (HOME / "examples").rglob("*.*")
    if path.suffix in (".py", ".yaml", ".md", ".ipynb")
]
FROM_ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "evaluation/test_sets/README.md": "reference/test_sets.md",
    **{path: path for path in EXAMPLES},
    "LICENSE": "license.md",
    "CITATION.cff": "examples/CITATION.cff",
}
"""Where files of the repository are on the site."""
API = {
    "Runs": [f"chiron.{name}" for name in ("make_run", "Run", "RunCallback", "load_student", "load_study")],
    "Settings": ["chiron.runs.settings.RunSettings", "chiron.students.sb3_student.SB3Adapter"],
    "Learners": [f"chiron.{name}" for name in chiron.__all__ if "Curriculum" in name or name == "make_vec"],
    "Teachers": ["chiron.teachers.teacher.Teacher", "chiron.teachers.episode.Episode"],
    "Envs": [
        *("chiron.envs.task_space.TaskSpace", "chiron.envs.task_space.TaskParameter"),
        *("chiron.envs.env_info.env_info", "chiron.envs.env_checks.check_env"),
    ],
    "Services": ["chiron.runs.trackers.Tracker", "chiron.runs.trackers.WandB", "chiron.runs.trackers.MLflow"],
}
"""What the page on the API shows."""
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"^(?:\$ )?(?:chiron-|pip |make |python |tensorboard |for |docker |export )", re.MULTILINE
)
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


@event_priority(100)  # before mkdocstrings reads its own part
def on_config(config: Any) -> Any:
    """Show mkdocstrings this repository as the package that it is, without what else lies in its folder.

    Put the page of every teacher into the navigation, and let headings have GitHub's anchors.
    """
    place = Path(tempfile.mkdtemp(prefix="chiron-site-"))
    package = place / "chiron"
    package.mkdir()
    # A copy, since the folder that a link leads to would be searched, with all environments in it.
    shutil.copy(HOME / "__init__.py", package)
    for init in HOME.glob("*/__init__.py"):
        (package / init.parent.name).symlink_to(init.parent, target_is_directory=True)
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [str(place)]
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    galleries = next(section["Galleries"] for section in config.nav if "Galleries" in section)
    pages = sorted(path.name for path in (HOME / "docs" / "teachers").glob("*.md"))
    galleries += [f"teachers/{name}" for name in pages if name != "README.md"]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not lie in `docs`."""
    for source, uri in FROM_ELSEWHERE.items():
        text = (HOME / source).read_text()
        if uri.endswith(".md"):
            text = relinked(text, HOME / source, uri)
        files.append(File.generated(config, uri, content=text))
    files.append(File.generated(config, "reference/keys.md", content=keys_page()))
    files.append(File.generated(config, "reference/api.md", content=api_page()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links out of `docs` lead to where the file is on the site, and mark what no test runs."""
    path = HOME / "docs" / page.file.src_uri
    text = relinked(markdown, path, page.file.src_uri) if path.exists() else markdown
    return _BLOCK.sub(_marked, text)


def _marked(block: re.Match[str]) -> str:
    """A block of code; with a title, if it has commands or code that no test runs."""
    language, content = block[1], block[2]
    if language in ("console", "py") or (not language and _COMMAND.search(content)):
        return f'```{{.{language or "text"} title="Not run by a test"}}\n{content}```'
    return block[0]


def relinked(text: str, source: Path, uri: str) -> str:
    """A page whose links to files lead to these files on the site.

    Args:
        text: In Markdown.
        source: Where it lies in the repository.
        uri: Where it is on the site.
    """

    def lead(link: re.Match[str]) -> str:
        if ":" in link[2]:
            return link[0]
        target = Path(os.path.normpath(source.parent / link[2])).relative_to(HOME).as_posix()
        on_site = FROM_ELSEWHERE.get(target, target.removeprefix("docs/"))
        return f"{link[1]}{os.path.relpath(on_site, Path(uri).parent)}{link[3]}"

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(lead, part) for part in parts)


def keys_page() -> str:
    """All keys of a run with their defaults, and all choices of the groups, from schema and YAML files."""
    lines = [
        "# All keys and choices",
        "",
        "Made of the configuration itself; `chiron-train --help` prints the same.",
        "",
    ]
    lines += ["## Keys of a run", "", "| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | `{value}` | {text} |" for key, value, text in setting_rows()]
    lines += ["", "## Choices", ""]
    folder = Path(schema.__file__).parent
    for group in GROUPS:
        lines += [f"### {group}", "", "| choice | |", "|---|---|"]
        for path in sorted((folder / group).rglob("*.yaml")):
            choice = path.relative_to(folder / group).with_suffix("")
            lines.append(f"| `{group}={choice}` | {_first_comment(path)} |")
        lines.append("")
    return "\n".join(lines)


def _first_comment(path: Path) -> str:
    comments = [line for line in path.read_text().splitlines() if line.startswith("# ")]
    first = next((line[2:] for line in comments if not line.startswith("# @package")), "")
    return first.replace("|", "\\|").replace("<", "&lt;")


def api_page() -> str:
    """What mkdocstrings fills with the docstrings of the public names."""
    lines = ["# API", "", "The public names and what they take. Shorter: [Python API](../python_api.md).", ""]
    for title, names in API.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += [f"::: {_defined_at(name)}", "    options: {heading_level: 3}", ""]
    return "\n".join(lines)


def _defined_at(name: str) -> str:
    """The full path of a name that the package passes on."""
    module, _, attribute = name.rpartition(".")
    member = getattr(import_module(module), attribute)
    return f"{member.__module__}.{attribute}"

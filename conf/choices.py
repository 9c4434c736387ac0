"""The groups of the configuration, their choices, and the settings of a run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..runs.settings import RunSettings

GROUPS = ("env", "teacher", "student", "callbacks", "launcher", "sweeper", "experiment", "debug")
"""The groups of the configuration, in the order of the help."""


def choices_of(group: str, *more: Path) -> list[str]:
    """The choices of a configuration group; empty if there is no such group.

    Args:
        group: Its path, such as `env` or `hydra/launcher`.
        more: Additional configuration folders of the user.
    """
    folders = [place / group for place in (Path(__file__).parent, *more)]
    found = [
        sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))
        for folder in folders
    ]
    return list(dict.fromkeys(name for names in found for name in names))


def setting_rows() -> list[tuple[str, str, str]]:
    """Key, default and description of every setting of a run; descriptions are those of the docstrings."""
    return [(key, _shown(value), text) for key, value, text in _settings(RunSettings)]


def _settings(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Key, default and description of every setting; descriptions are those of the docstrings."""
    defaults, described = kind(), _attributes_of(kind)
    for field in fields(kind):
        value = getattr(defaults, field.name)
        if is_dataclass(value):
            yield from _settings(type(value), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value, described[field.name]


def _attributes_of(kind: type[Any]) -> dict[str, str]:
    text = textwrap.dedent((kind.__doc__ or "").partition("Attributes:")[2])
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", textwrap.indent(text, "    "), re.M)
    return {name: re.sub(r"\bNone\b", "null", re.sub(r"\s+", " ", words)) for name, words in found}


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return (
        f"{value:_}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )

"""What the choices of a config group can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import yaml


def settings_in(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every setting in a node, targets left out.

    Args:
        node: Of a configuration.
        prefix: The node's own name.
    """
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from settings_in(value, f"{prefix}.{key}")
        elif key != "_target_":
            yield f"{prefix}.{key}", value


def settings_of_group(group: str) -> set[str]:
    """Dotted names of the settings that any choice of a group has, of those that come with Chiron."""
    choices = (path for path in files("chiron.conf").joinpath(group).iterdir() if path.name.endswith(".yaml"))
    return {name for choice in choices for name, _ in settings_in(yaml.safe_load(choice.read_text()), group)}

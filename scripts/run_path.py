"""Where a run's directory is: a path that says what ran, the same for a single run and in a sweep."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

_NAMED_BY_PATH = {"env", "teacher", "student", "seed", "study", "results"}
_PRESETS = {"experiment", "debug"}
"""Groups whose choices name a study of their own, and so are named by the path unless the user renames it."""
_HOW = ("launcher", "checkpoint.")
"""How overrides begin that say how a run is done, and not what is run."""
_LONGEST_LEVEL = 120


def run_path(study: Path, names: Mapping[str, str], seed: int, overrides: Sequence[str]) -> Path:
    """`<study>/<env>/<teacher>/<student>[/<other overrides>]/seed<k>`.

    Args:
        study: The folder of all runs of a study.
        names: What the config calls its env, teacher and student.
        seed: The run's seed.
        overrides: All overrides of the command line, as `key=value`.
    """
    level = override_level(overrides)
    path = study / names["env"] / names["teacher"] / names["student"]
    return path / level / f"seed{seed}" if level else path / f"seed{seed}"


def override_level(overrides: Sequence[str]) -> str:
    """One folder name for the overrides that the other levels do not name, "" if there are none.

    `env.body=quadruped` becomes `body-quadruped`; several are sorted and joined by `+`. Where a value
    cannot stand in a file name as it is, a short digest keeps different values apart.
    """
    pairs = [override.lstrip("+~").partition("=")[::2] for override in overrides]
    named = _NAMED_BY_PATH if any(key == "study" for key, _ in pairs) else _NAMED_BY_PATH | _PRESETS
    others = sorted((key, value) for key, value in pairs if key not in named and not key.startswith(_HOW))
    last_names = Counter(key.rpartition(".")[2] for key, _ in others)
    parts = []
    for key, value in others:
        name = key.rpartition(".")[2]
        parts.append(f"{_in_file_name(key if last_names[name] > 1 else name)}-{_in_file_name(value)}")
    level = "+".join(parts)
    if len(level) > _LONGEST_LEVEL:
        level = f"{level[:_LONGEST_LEVEL]}-{_digest(level)}"
    return level


def _in_file_name(text: str) -> str:
    safe = re.sub(r"[^\w.-]+", "-", text).strip("-")
    return safe if safe == text else f"{safe}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]

"""The path of a run directory: it says what ran, and is the same for a single run and in a sweep."""

from __future__ import annotations

import copy
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..runs.settings import is_how, leaves

COMPONENTS = ("env", "teacher", "student")
"""The groups whose choices are levels of the path."""
_PRESETS = ("debug", "experiment", "sweeper")
"""Groups whose choices may set a study name, which then represents all their settings in the path."""
_LONGEST_LEVEL = 120
_LONGEST_WHOLE = 1e16
"""Integral floats below this are written as integers."""
_UNNAMED = ("seed", "hydra.")
"""Prefixes of other keys that are not part of a run's identity."""
_ABSENT = object()


def defaults_of(config: DictConfig, hydra: Any) -> DictConfig:
    """The configuration named by the levels of a path, without the level for overrides.

    Args:
        config: A composed configuration.
        hydra: Its `hydra` node.
    """
    choices = hydra.runtime.choices
    groups = tuple(f"{group}={choices[group]}" for group in COMPONENTS)
    search_path = str(GlobalHydra.instance().config_loader().get_search_path())
    name = hydra.job.config_name
    for preset in _PRESETS:
        if choices.get(preset) not in (None, "null"):
            with_preset = _composed(search_path, name, (*groups, f"{preset}={choices[preset]}"))
            if _composed(search_path, name, ()).study != with_preset.study == config.study:
                return with_preset
    return _composed(search_path, name, groups)


@functools.cache
def _composed(search_path: str, name: str, overrides: tuple[str, ...]) -> DictConfig:
    """A composed configuration, cached because the jobs of a sweep share most of them."""
    loader = GlobalHydra.instance().config_loader()
    assert search_path == str(loader.get_search_path())
    return loader.load_configuration(name, list(overrides), RunMode.RUN)


def run_path(study: Path, names: Mapping[str, str], seed: int, level: str) -> Path:
    """`<study>/<env>/<teacher>/<student>[/<level>]/seed<k>`.

    Args:
        study: The folder of all runs of a study.
        names: Names of its env, teacher and student in the configuration.
        seed: The run's seed.
        level: Result of `override_level`.
    """
    path = study / names["env"] / names["teacher"] / names["student"]
    return path / level / f"seed{seed}" if level else path / f"seed{seed}"


def override_level(config: DictConfig, resolved: Mapping[str, Any], defaults: DictConfig) -> str:
    """One folder name for all differences from the defaults, "" if there are none.

    `env.body=quadruped` becomes `body-quadruped`; several are sorted and joined by `+`. Values are written in
    a normal form; values equal to the default, and keys that say how a run is executed, are omitted. If a
    value cannot be part of a file name, a short digest distinguishes it from others.

    Args:
        config: A composed configuration.
        resolved: The same as plain Python.
        defaults: Configuration to compare with.
    """
    others = differences(config, resolved, defaults)
    last_names = Counter(key.rpartition(".")[2] for key in others)
    parts = []
    for key, value in others.items():
        name = key.rpartition(".")[2]
        parts.append(f"{_in_file_name(key if last_names[name] > 1 else name)}-{_in_file_name(value)}")
    level = "+".join(parts)
    if len(level) > _LONGEST_LEVEL:
        level = f"{level[:_LONGEST_LEVEL]}-{_digest(level)}"
    return level


def differences(config: DictConfig, resolved: Mapping[str, Any], defaults: DictConfig) -> dict[str, str]:
    """The keys of a run's identity with values other than the default, and these values in normal form.

    Args:
        config: A composed configuration.
        resolved: The same as plain Python.
        defaults: Configuration to compare with.
    """
    mine, theirs = (_leaves(OmegaConf.to_container(one)) for one in (config, defaults))
    values = _leaves(resolved)
    found: dict[str, str] = {}
    for key in sorted(mine | theirs):
        given, default = mine.get(key, _ABSENT), theirs.get(key, _ABSENT)
        if given == default:
            continue
        value = values.get(key, given)
        if value is _ABSENT:
            # If a parent or child key replaces it, that one is listed itself.
            if not any(key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in mine):
                found[key] = "absent"
        # A default that is an interpolation may resolve to the same value.
        elif not (isinstance(default, str) and "${" in default and value == _in_place(config, key, default)):
            found[key] = _normal_form(value)
    return found


def _leaves(config: Any) -> dict[str, Any]:
    return {key: value for key, value in leaves(config) if not (is_how(key) or key.startswith(_UNNAMED))}


def _in_place(config: DictConfig, key: str, value: str) -> Any:
    """The value of an interpolation at a key of a configuration."""
    changed = copy.deepcopy(config)
    try:
        OmegaConf.update(changed, key, value)
        return OmegaConf.select(changed, key)
    except OmegaConfBaseException:
        return _ABSENT


def _normal_form(value: Any) -> str:
    """The normal form of a value: 1e-3 and 0.001, or 300_000 and 3e5, are written alike."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _LONGEST_WHOLE:
        return str(int(value))
    if isinstance(value, list):
        return f"[{','.join(_normal_form(item) for item in value)}]"
    return str(value)


def _in_file_name(text: str) -> str:
    safe = re.sub(r"[^\w.-]+", "-", text).strip("-")
    return safe if safe == text else f"{safe}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]

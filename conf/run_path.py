"""Where a run's directory is: a path that says what ran, the same for a single run and in a sweep."""

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
"""Groups whose choices may name a study of their own, which then stands for everything that they set."""
_LONGEST_LEVEL = 120
_LONGEST_WHOLE = 1e16
"""Floats below this are written as whole numbers where they are."""
_UNNAMED = ("seed", "hydra.")
"""How other keys begin that do not set a run apart."""
_ABSENT = object()


def defaults_of(config: DictConfig, hydra: Any) -> DictConfig:
    """The configuration that the levels of a path name, apart from the one for overrides.

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
    """A configuration, composed once per process: the jobs of a sweep share most of them."""
    loader = GlobalHydra.instance().config_loader()
    assert search_path == str(loader.get_search_path())
    return loader.load_configuration(name, list(overrides), RunMode.RUN)


def run_path(study: Path, names: Mapping[str, str], seed: int, level: str) -> Path:
    """`<study>/<env>/<teacher>/<student>[/<level>]/seed<k>`.

    Args:
        study: The folder of all runs of a study.
        names: What the config calls its env, teacher and student.
        seed: The run's seed.
        level: What `override_level` says.
    """
    path = study / names["env"] / names["teacher"] / names["student"]
    return path / level / f"seed{seed}" if level else path / f"seed{seed}"


def override_level(config: DictConfig, resolved: Mapping[str, Any], defaults: DictConfig) -> str:
    """One folder name for what sets a run apart from the defaults, "" if nothing does.

    `env.body=quadruped` becomes `body-quadruped`; several are sorted and joined by `+`. A value is written in
    one way however it was spelled, and what equals the default, or says how a run is done, is not written.
    Where a value cannot stand in a file name as it is, a short digest keeps different values apart.

    Args:
        config: A composed configuration.
        resolved: The same as plain Python.
        defaults: What it is compared with.
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
    """The keys of a run's identity whose values are not the defaults, and these values in their normal form.

    Args:
        config: A composed configuration.
        resolved: The same as plain Python.
        defaults: What it is compared with.
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
            # What stands above or below the key in its place is listed itself.
            if not any(key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in mine):
                found[key] = "absent"
        # A default that follows from other values may say the same.
        elif not (isinstance(default, str) and "${" in default and value == _in_place(config, key, default)):
            found[key] = _normal_form(value)
    return found


def _leaves(config: Any) -> dict[str, Any]:
    return {key: value for key, value in leaves(config) if not (is_how(key) or key.startswith(_UNNAMED))}


def _in_place(config: DictConfig, key: str, value: str) -> Any:
    """What an interpolation comes to if it stands in a configuration, at a key."""
    changed = copy.deepcopy(config)
    try:
        OmegaConf.update(changed, key, value)
        return OmegaConf.select(changed, key)
    except OmegaConfBaseException:
        return _ABSENT


def _normal_form(value: Any) -> str:
    """The one way in which a value is written: 1e-3 and 0.001, or 300_000 and 3e5, are the same."""
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

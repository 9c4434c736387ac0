"""Composes the configuration of a `chiron-train` command line."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf


def composed(*overrides: str) -> dict[str, Any]:
    """The resolved configuration of a command line.

    Args:
        overrides: Arguments of the command line, each as `key=value`.

    Raises:
        hydra.errors.HydraException: If a choice or a key does not exist.
        omegaconf.errors.OmegaConfBaseException: If a value does not fit.
    """
    with initialize_config_module("chiron.conf", version_base="1.3"):
        config = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}

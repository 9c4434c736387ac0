"""Stable-Baselines3's env checker, as an additional check of `envs.env_checks`."""

from __future__ import annotations

import re

from stable_baselines3.common.env_checker import check_env

from ..envs.env_checks import BrokenContractError
from ..envs.trainable_spaces import require_trainable
from ..envs.vector.sync_vector_env import EnvFn


def is_a_stable_baselines_env(make_env: EnvFn) -> None:
    """Must pass Stable-Baselines3's own checker."""
    env = make_env()
    try:
        require_trainable(env.observation_space, env.action_space)
        check_env(env)
    except ValueError as error:
        raise BrokenContractError(str(error)) from error
    except AssertionError as error:
        raise BrokenContractError(f"Stable-Baselines3's checker objects: {plain(error)}") from error


def plain(message: Warning | Exception | str) -> str:
    """The message on one line, without the colour codes of Gymnasium's warnings."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", str(message)).removeprefix("WARN: ").split())

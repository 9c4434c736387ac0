"""What Stable-Baselines3 has against an env: one more of the checks of `envs.env_checks`."""

from __future__ import annotations

import re

from stable_baselines3.common.env_checker import check_env

from ..envs.env_checks import BrokenContractError
from ..envs.trainable_spaces import require_trainable
from ..envs.vector.sync_vector_env import EnvFn


def is_a_stable_baselines_env(make_env: EnvFn) -> None:
    """Stable-Baselines3's own checker must have nothing against it."""
    env = make_env()
    try:
        require_trainable(env.observation_space, env.action_space)
        check_env(env)
    except ValueError as error:
        raise BrokenContractError(str(error)) from error
    except AssertionError as error:
        raise BrokenContractError(f"Stable-Baselines3's checker objects: {plain(error)}") from error


def plain(message: Warning | Exception | str) -> str:
    """In one line and without the colours in which Gymnasium warns."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", str(message)).removeprefix("WARN: ").split())

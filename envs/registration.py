"""Registers the envs of this package with Gymnasium: `gymnasium.make("chiron/StumpTracks-v0")`.

Walker envs are found automatically in the modules of `chiron.envs.walkers`. Many batchable envs are stepped
together: `gymnasium.make_vec("chiron/StumpTracks-v0", num_envs=64)`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import partial

import gymnasium

from .gymnasium_env import GymnasiumEnv
from .point_mass import PointMass
from .vector.batchable_env import BatchableEnv
from .vector.make_vec import vector_entry_point
from .walkers import __name__ as walkers
from .walkers import __path__ as places
from .walkers.walker_env import WalkerEnv


def walker_envs() -> Iterator[type[WalkerEnv]]:
    """The classes of walker envs that the modules of `chiron.envs.walkers` define."""
    for found in pkgutil.iter_modules(places, f"{walkers}."):
        if found.ispkg:  # compiled code
            continue
        for value in vars(importlib.import_module(found.name)).values():
            is_env = isinstance(value, type) and issubclass(value, WalkerEnv) and value is not WalkerEnv
            if is_env and value.__module__ == found.name:
                yield value


def _register(env: type[gymnasium.Env], vector_entry_point: str | None = None) -> None:
    gymnasium.register(
        f"chiron/{env.__name__}-v0",
        f"{env.__module__}:{env.__name__}",
        vector_entry_point=vector_entry_point,
    )


_register(GymnasiumEnv)
_batchable: list[type[BatchableEnv]] = [PointMass, *walker_envs()]
for _env in _batchable:
    # A spec must be JSON, so Gymnasium is given the name of a function instead of the function.
    globals()[f"make_{_env.__name__}"] = partial(vector_entry_point, _env)
    _register(_env, f"{__name__}:make_{_env.__name__}")

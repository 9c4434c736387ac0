"""The exact training state of a Stable-Baselines3 algorithm, as JSON values and arrays."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.running_mean_std import RunningMeanStd
from torch import Tensor

from ..envs.state_tree import map_leaves

_OBJECTS = (ReplayBuffer, ActionNoise, RunningMeanStd)
"""Parts of an algorithm that are saved attribute by attribute."""


class TrainingState:
    """Saves and restores the state of an algorithm between two rollouts.

    The state consists of parameters, optimizers, replay buffer, counters, running statistics of
    `VecNormalize`, the last observations, noise, values recorded for the next dump of the logger, and the
    global random generators of torch, NumPy and Python, which algorithms draw from. It is saved when a
    rollout begins (`BaseCallback.on_rollout_start`), when on-policy buffers are empty. It is restored in two
    parts: `load_state_dict` before `learn(..., reset_num_timesteps=False)`, and `load_at_rollout_start`,
    for what `learn` itself changes, when the first rollout begins. Envs and curriculum have states of their
    own.

    Args:
        model: Any algorithm of Stable-Baselines3 or sb3-contrib.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        self._model = model

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: nested dicts and lists of JSON values and arrays."""
        model = self._model
        return {
            "parameters": _to_plain(_with_string_keys(model.get_parameters())),
            "attributes": _plain(vars(model), leave={"action_noise"}),
            "replay_buffer": self._plain_attributes(getattr(model, "replay_buffer", None)),
            "normalizer": self._plain_attributes(model.get_vec_normalize_env()),
            "at_rollout_start": {
                "action_noise": self._plain_attributes(model.action_noise),
                "exploration": [_to_plain(tensor) for tensor in self._exploration()],
                "log": self._recorded(),
                "generators": self.generators(),
            },
        }

    def unsaved(self) -> list[str]:
        """Contents of the replay buffer missing from the state: arrays of Python objects."""
        buffer = getattr(self._model, "replay_buffer", None)
        # HerReplayBuffer has room for infos also if it stores none.
        if buffer is None or not getattr(buffer, "copy_info_dict", True):
            return []
        arrays = {name: value for name, value in vars(buffer).items() if isinstance(value, np.ndarray)}
        return [f"{type(buffer).__name__}.{name}" for name, value in arrays.items() if value.dtype.hasobject]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict` of a model built from the same arguments."""
        model = self._model
        model.set_parameters(_parameters(state["parameters"]), device=model.device)
        _restore(model, state["attributes"])
        _restore(getattr(model, "replay_buffer", None), state["replay_buffer"])
        _restore(model.get_vec_normalize_env(), state["normalizer"])

    def load_at_rollout_start(self, state: Mapping[str, Any]) -> None:
        """Restore the rest when the first rollout begins."""
        rest, logger = state["at_rollout_start"], self._model.logger
        _restore(self._model.action_noise, rest["action_noise"])
        for tensor, stored in zip(self._exploration(), rest["exploration"], strict=True):
            _restored(tensor, stored)
        for name, (value, count, excluded) in rest["log"].items():
            logger.name_to_value[name], logger.name_to_count[name] = value, count
            logger.name_to_excluded[name] = tuple(excluded)
        self.set_generators(rest["generators"])

    def _plain_attributes(self, part: Any) -> dict[str, Any] | None:
        return None if part is None else _plain(vars(part))

    def _recorded(self) -> dict[str, Any]:
        """Values recorded for the next dump of the logger, except for images."""
        logger = self._model.logger
        return {
            name: [value, logger.name_to_count[name], list(logger.name_to_excluded[name])]
            for name, value in _plain(logger.name_to_value).items()
        }

    def _exploration(self) -> Iterator[Tensor]:
        """The exploration matrices that gSDE has drawn for this rollout."""
        if not getattr(self._model, "use_sde", False):
            return
        for module in self._model.policy.modules():
            distribution = getattr(module, "action_dist", None)
            for name in ("exploration_mat", "exploration_matrices"):
                if hasattr(distribution, name):
                    yield getattr(distribution, name).detach()

    def generators(self) -> dict[str, Any]:
        """The state of the global random generators, and of the action space's own."""
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (Stable-Baselines3 draws from it)
        space = self._model.action_space
        return {
            "torch": torch.get_rng_state().numpy(),
            "cuda": [state.numpy() for state in torch.cuda.get_rng_state_all()] if self._on_gpu() else [],
            "numpy": [kind, np.asarray(keys), *rest],
            "python": _to_plain(random.getstate()),
            "action_space": space.np_random.bit_generator.state,
        }

    def set_generators(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `generators`."""
        torch.set_rng_state(torch.from_numpy(state["torch"]))
        if self._on_gpu():
            torch.cuda.set_rng_state_all([torch.from_numpy(one) for one in state["cuda"]])
        np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
        version, values, following = state["python"]
        random.setstate((version, tuple(values), following))
        self._model.action_space.np_random.bit_generator.state = state["action_space"]

    def _on_gpu(self) -> bool:
        return self._model.device.type == "cuda"


def _plain(values: Mapping[str, Any], leave: Collection[str] = ()) -> dict[str, Any]:
    """Only the values that are JSON values and arrays; other objects are rebuilt from the configuration."""
    plain = {}
    for name, value in values.items():
        if name not in leave:
            try:
                plain[name] = _to_plain(value)
            except TypeError:
                continue
    return plain


def _to_plain(value: Any) -> Any:
    """A copy of a value, in JSON values and arrays.

    Raises:
        TypeError: If it consists of anything else.
    """
    return map_leaves(value, _plain_leaf)


def _plain_leaf(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy().copy()
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        # An array preserves the dtype of a scalar.
        return np.array(value)
    if isinstance(value, _OBJECTS):
        return _plain(vars(value))
    raise TypeError(f"{where} is a {type(value).__name__}")


def _restore(part: Any, state: Mapping[str, Any] | None) -> None:
    if state is not None:
        for name, stored in state.items():
            setattr(part, name, _restored(getattr(part, name, None), stored))


def _restored(current: Any, stored: Any) -> Any:
    """The stored value in the type of the current one; arrays are overwritten in place."""
    if isinstance(stored, np.ndarray):
        if isinstance(current, Tensor) and current.shape == stored.shape:
            current.detach().copy_(torch.from_numpy(stored))
            return current
        if isinstance(current, Tensor):
            return torch.from_numpy(stored).to(current.device)
        if stored.ndim == 0:
            return stored[()]
        if isinstance(current, np.ndarray) and (current.shape, current.dtype) == (stored.shape, stored.dtype):
            current[:] = stored
            return current
        return stored
    if isinstance(current, _OBJECTS):
        _restore(current, stored)
        return current
    if isinstance(stored, dict):
        there = current if isinstance(current, dict) else {}
        return {key: _restored(there.get(key), item) for key, item in stored.items()}
    if isinstance(stored, list):
        return _restored_sequence(current, stored)
    return stored


def _restored_sequence(current: Any, stored: list[Any]) -> Any:
    is_alike = isinstance(current, (list, tuple, deque)) and len(current) == len(stored)
    items = [
        _restored(*pair) for pair in zip(current if is_alike else [None] * len(stored), stored, strict=True)
    ]
    if isinstance(current, deque):
        return deque(items, current.maxlen)
    if isinstance(current, tuple):
        return type(current)(*items) if hasattr(current, "_fields") else tuple(items)
    return items


def _with_string_keys(value: Any) -> Any:
    """The same nested dicts with string keys, since JSON does not allow the numeric ones of optimizers."""
    if isinstance(value, Mapping):
        return {str(key): _with_string_keys(item) for key, item in value.items()}
    return value


def _parameters(stored: Any, where: str = "") -> Any:
    """The argument of `set_parameters`, from the stored result of `get_parameters`."""
    if isinstance(stored, np.ndarray):
        return torch.from_numpy(stored)
    if isinstance(stored, dict):
        return {int(key) if where == "state" else key: _parameters(item, key) for key, item in stored.items()}
    return [_parameters(item) for item in stored] if isinstance(stored, list) else stored

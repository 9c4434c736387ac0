"""The state of a Stable-Baselines3 algorithm in the middle of its learning, as JSON values and arrays."""

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

_OBJECTS = (ReplayBuffer, ActionNoise, RunningMeanStd)
"""What an algorithm holds that has a state of its own, kept attribute by attribute."""


class TrainingState:
    """Takes and gives back the state of an algorithm between one rollout and the next.

    That is: parameters, optimizers, replay buffer, counters, running statistics of `VecNormalize`, the last
    observations, noise, what has been recorded for the next line of the log, and the global generators of
    torch, NumPy and Python, which algorithms draw from. The state is taken when a rollout begins
    (`BaseCallback.on_rollout_start`), when on-policy buffers are empty, and given back in two parts: before
    `learn(..., reset_num_timesteps=False)`, and, of what that touches on its way, when the first rollout
    begins. What worlds and curriculum are doing is theirs to keep.

    Args:
        model: Any algorithm of Stable-Baselines3 or sb3-contrib.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        self._model = model

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here: nested dicts and lists of JSON values and arrays."""
        model = self._model
        return {
            "parameters": _taken(_keys_as_text(model.get_parameters())),
            "attributes": _plain(vars(model), leave={"action_noise"}),
            "replay_buffer": self._plain_attributes(getattr(model, "replay_buffer", None)),
            "normalizer": self._plain_attributes(model.get_vec_normalize_env()),
            "at_rollout_start": {
                "action_noise": self._plain_attributes(model.action_noise),
                "exploration": [_taken(tensor) for tensor in self._exploration()],
                "log": self._recorded(),
                "generators": self._generators(),
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned, of a model built from the same arguments."""
        model = self._model
        model.set_parameters(_parameters(state["parameters"]), device=model.device)
        _give_back(model, state["attributes"])
        _give_back(getattr(model, "replay_buffer", None), state["replay_buffer"])
        _give_back(model.get_vec_normalize_env(), state["normalizer"])

    def load_at_rollout_start(self, state: Mapping[str, Any]) -> None:
        """Give back the rest, once the first rollout begins."""
        rest, logger = state["at_rollout_start"], self._model.logger
        _give_back(self._model.action_noise, rest["action_noise"])
        for tensor, stored in zip(self._exploration(), rest["exploration"], strict=True):
            _given(tensor, stored)
        for name, (value, count, excluded) in rest["log"].items():
            logger.name_to_value[name], logger.name_to_count[name] = value, count
            logger.name_to_excluded[name] = tuple(excluded)
        self._set_generators(rest["generators"])

    def _plain_attributes(self, part: Any) -> dict[str, Any] | None:
        return None if part is None else _plain(vars(part))

    def _recorded(self) -> dict[str, Any]:
        """What waits for the next line of the log; pictures do not."""
        logger = self._model.logger
        return {
            name: [value, logger.name_to_count[name], list(logger.name_to_excluded[name])]
            for name, value in _plain(logger.name_to_value).items()
        }

    def _exploration(self) -> Iterator[Tensor]:
        """The noise that gSDE has drawn for this rollout."""
        if not getattr(self._model, "use_sde", False):
            return
        for module in self._model.policy.modules():
            distribution = getattr(module, "action_dist", None)
            for name in ("exploration_mat", "exploration_matrices"):
                if hasattr(distribution, name):
                    yield getattr(distribution, name).detach()

    def _generators(self) -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (Stable-Baselines3 draws from it)
        space = self._model.action_space
        return {
            "torch": torch.get_rng_state().numpy(),
            "cuda": [state.numpy() for state in torch.cuda.get_rng_state_all()] if self._on_gpu() else [],
            "numpy": [kind, np.asarray(keys), *rest],
            "python": _taken(random.getstate()),
            "action_space": space.np_random.bit_generator.state,
        }

    def _set_generators(self, state: Mapping[str, Any]) -> None:
        torch.set_rng_state(torch.from_numpy(state["torch"]))
        if self._on_gpu():
            torch.cuda.set_rng_state_all([torch.from_numpy(one) for one in state["cuda"]])
        np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
        version, values, following = state["python"]
        random.setstate((version, tuple(values), following))
        self._model.action_space.np_random.bit_generator.state = state["action_space"]

    def _on_gpu(self) -> bool:
        return self._model.device.type == "cuda"


class _NotPlainError(TypeError):
    """A value is neither JSON nor arrays."""


def _plain(values: Mapping[str, Any], leave: Collection[str] = ()) -> dict[str, Any]:
    """Those of the values that are JSON values and arrays: what was made from the configuration is not."""
    taken = {}
    for name, value in values.items():
        if name not in leave:
            try:
                taken[name] = _taken(value)
            except _NotPlainError:
                continue
    return taken


def _taken(value: Any) -> Any:
    """A copy of a value, in JSON values and arrays."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy().copy()
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        # A scalar keeps its dtype this way.
        return np.array(value)
    if isinstance(value, _OBJECTS):
        return _plain(vars(value))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _taken(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return [_taken(item) for item in value]
    raise _NotPlainError(type(value).__name__)


def _give_back(part: Any, state: Mapping[str, Any] | None) -> None:
    if state is not None:
        for name, stored in state.items():
            setattr(part, name, _given(getattr(part, name, None), stored))


def _given(current: Any, stored: Any) -> Any:
    """What was stored, in the form of what is there now, and in its place where that is an array."""
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
        _give_back(current, stored)
        return current
    if isinstance(stored, dict):
        there = current if isinstance(current, dict) else {}
        return {key: _given(there.get(key), item) for key, item in stored.items()}
    if isinstance(stored, list):
        return _given_sequence(current, stored)
    return stored


def _given_sequence(current: Any, stored: list[Any]) -> Any:
    is_alike = isinstance(current, (list, tuple, deque)) and len(current) == len(stored)
    items = [
        _given(*pair) for pair in zip(current if is_alike else [None] * len(stored), stored, strict=True)
    ]
    if isinstance(current, deque):
        return deque(items, current.maxlen)
    if isinstance(current, tuple):
        return type(current)(*items) if hasattr(current, "_fields") else tuple(items)
    return items


def _keys_as_text(value: Any) -> Any:
    """The same nested dicts; optimizers number their parameters, and JSON has no numbers as keys."""
    if isinstance(value, Mapping):
        return {str(key): _keys_as_text(item) for key, item in value.items()}
    return value


def _parameters(stored: Any, where: str = "") -> Any:
    """What `set_parameters` takes, from what was stored of `get_parameters`."""
    if isinstance(stored, np.ndarray):
        return torch.from_numpy(stored)
    if isinstance(stored, dict):
        return {int(key) if where == "state" else key: _parameters(item, key) for key, item in stored.items()}
    return [_parameters(item) for item in stored] if isinstance(stored, list) else stored

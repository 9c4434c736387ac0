"""Saves and loads students; loading does not unpickle anything."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize, unwrap_vec_normalize

from .sb3_policy import takes_action_masks

MODEL, NORMALIZATION, SB3_NORMALIZATION = "model.zip", "normalization.npz", "vec_normalize.pkl"
"""The algorithm in Stable-Baselines3's format; `VecNormalize` statistics in ours and in its format."""
TENSORS = "model.safetensors"
"""The parameters of the policy of an exported student, in place of `MODEL`."""
MODEL_USAGE = "model.txt"
"""Instructions for using `model.zip` with Stable-Baselines3 alone."""
_SAFE, _STEPS = ".safetensors", "steps"
_WITHOUT_MEMORY: Mapping[str, Any] = {
    "buffer_size": 1,
    "replay_buffer_class": None,
    "replay_buffer_kwargs": {},
    "optimize_memory_usage": False,
    "n_steps": 1,
    "batch_size": 1,
}
"""Attributes of algorithms that determine how much is stored in training."""


def save_student(model: BaseAlgorithm, folder: Path) -> None:
    """Write an algorithm, and the statistics that normalise its observations, to a folder."""
    # If Stable-Baselines3 opens the file itself, it does not close it when the disk is full.
    with (folder / MODEL).open("wb") as file:
        model.save(file)
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None:
        normalizer.save(str(folder / SB3_NORMALIZATION))
        save_normalization(normalizer, folder / NORMALIZATION)


def model_usage(model: BaseAlgorithm, action_repeat: int) -> str:
    """Instructions for using a saved algorithm in a plain script, with the settings of its training.

    Args:
        model: The algorithm, with the envs that it was trained in.
        action_repeat: Number of env steps for which each action was repeated.
    """
    kind = type(model)
    normalizer = model.get_vec_normalize_env()
    lines = [
        "How to play model.zip in a script of Stable-Baselines3 alone, as it was trained.",
        "(chiron.load_student does all of this by itself.)",
        "",
        f"from {kind.__module__.removesuffix(f'.{kind.__name__.lower()}')} import {kind.__name__}",
        *(
            ["from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize"]
            if normalizer is not None
            else []
        ),
        *(["from chiron.envs.vector.action_repeat import ActionRepeat"] if action_repeat > 1 else []),
        "",
        "env = ...  # the env of config.yaml, reset with options={'task': ...}",
    ]
    if action_repeat > 1:
        lines += [
            f"env = ActionRepeat(env, {action_repeat})",
            f"# Each action was held for {action_repeat} steps, after which the policy saw the env again.",
        ]
    lines.append(f"model = {kind.__name__}.load('model.zip', device='cpu')")
    seen = "observation"
    if normalizer is not None and normalizer.norm_obs:
        lines += [
            f"normalizer = VecNormalize.load('{SB3_NORMALIZATION}', DummyVecEnv([lambda: env]))",
            "# The policy saw normalised observations: without this line it plays like an untrained one.",
        ]
        seen = "normalizer.normalize_obs(observation)"
    given = [seen]
    given += ["state=state"] if "lstm" in kind.__name__.lower() or "Recurrent" in kind.__name__ else []
    given += ["deterministic=True"]
    given += ["action_masks=env.get_wrapper_attr('action_masks')()"] if takes_action_masks(model) else []
    lines.append(f"action, state = model.predict({', '.join(given)})")
    return "\n".join(lines) + "\n"


def load_student_model(
    make_algorithm: Callable[..., BaseAlgorithm],
    vec_normalize: Mapping[str, Any] | None,
    observations: spaces.Space[Any],
    actions: spaces.Space[Any],
    folder: Path,
) -> BaseAlgorithm:
    """An algorithm that acts like a saved one, built from its arguments as for training.

    Only tensors, arrays and numbers are read from the files, so untrusted files cannot execute code. It has
    the parameters of the policy, but no replay buffer or optimizer state, and is not meant to learn.

    Args:
        make_algorithm: The algorithm's class with the arguments that it was trained with, as a partial.
        vec_normalize: Arguments of `VecNormalize`; None if it was not used.
        observations: Observation space of one env.
        actions: Action space of one env.
        folder: Folder written by `save_student`.

    Raises:
        ValueError: If a file is missing or damaged, or holds another kind of student.
    """
    vec_env: VecEnv = DummyVecEnv([lambda: _NeverPlayed(observations, actions)])
    if vec_normalize is not None:
        vec_env = VecNormalize(vec_env, **vec_normalize)
        if vec_env.norm_obs:
            load_normalization(vec_env, folder / NORMALIZATION)
    # Like in `BaseAlgorithm.load`, without setting up the model, so that attributes can still be changed.
    model = make_algorithm(env=None, seed=None, device="cpu", _init_setup_model=False)
    vec_env = model._wrap_env(vec_env, monitor_wrapper=False)
    model.env, model._vec_normalize_env, model.n_envs = vec_env, unwrap_vec_normalize(vec_env), 1
    model.observation_space, model.action_space = vec_env.observation_space, vec_env.action_space
    for name in _WITHOUT_MEMORY.keys() & vars(model).keys():
        setattr(model, name, _WITHOUT_MEMORY[name])
    model._setup_model()
    path = model_in(folder)
    try:
        model.policy.load_state_dict(policy_tensors(path))
    except RuntimeError as error:
        raise ValueError(
            f"{path} holds other networks than those of student= in config.yaml: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    model.num_timesteps = saved_steps(path)
    return model


def model_in(folder: Path) -> Path:
    """The path of the student's file in a folder, whether or not it exists."""
    return folder / TENSORS if (folder / TENSORS).exists() else folder / MODEL


def policy_tensors(path: Path) -> dict[str, Any]:
    """The parameters of a saved policy.

    Args:
        path: Result of `model_in`.

    Raises:
        ValueError: If the file cannot be read.
    """
    if path.suffix != _SAFE:
        return read_tensors(path, "policy")
    with _safetensors(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def save_tensors(tensors: Mapping[str, Any], steps: int, path: Path) -> None:
    """Write the parameters of a policy to a safetensors file, which can be read without unpickling.

    Args:
        tensors: Parameters by name.
        steps: Number of training steps.
        path: The file.
    """
    _require_safetensors()
    from safetensors.torch import save

    # Tensors shared between networks must be written for each.
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    path.write_bytes(save(owned, {"format": "pt", _STEPS: str(steps)}))


def read_tensors(path: Path, part: str) -> dict[str, Any]:
    """Tensors from a model saved by Stable-Baselines3; nothing else in the file is read.

    Args:
        path: A file of `BaseAlgorithm.save`.
        part: Name of one of its state dicts: "policy", "policy.optimizer", …

    Raises:
        ValueError: If the file cannot be read, or has no such part.
    """
    content = io.BytesIO(_read(path, f"{part}.pth"))
    try:
        # The format of PyTorch since 2020, which is not compressed either.
        with zipfile.ZipFile(content) as inner:
            _require_stored(inner, content.seek(0, io.SEEK_END))
        content.seek(0)
        tensors: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged archives, or the pickle of tensors in them, can raise anything
        raise ValueError(f"{path} is damaged: {part}.pth in it holds no tensors") from error
    return tensors


def saved_steps(path: Path) -> int:
    """Number of training steps of a saved model.

    Args:
        path: Result of `model_in`.

    Raises:
        ValueError: If the file cannot be read.
    """
    if path.suffix == _SAFE:
        with _safetensors(path) as file:
            return int((file.metadata() or {})[_STEPS])
    data = _read(path, "data")
    try:
        steps = json.loads(data)["num_timesteps"]
        if type(steps) is not int or not 0 <= steps < 2**63:
            raise ValueError(f"num_timesteps is {type(steps).__name__}")
        return steps
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it does not say how long it was trained") from error


def save_normalization(normalizer: VecNormalize, path: Path) -> None:
    """Write the statistics of a `VecNormalize` to a file of arrays."""
    arrays = {
        f"{name}/{field}": np.asarray(getattr(statistics, field))
        for name, statistics in _statistics(normalizer)
        for field in ("mean", "var", "count")
    }
    np.savez(path, allow_pickle=False, **arrays)


def load_normalization(normalizer: VecNormalize, path: Path) -> None:
    """Load statistics written by `save_normalization` into a `VecNormalize`.

    Raises:
        ValueError: If the file is missing, damaged, or for different observations.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _require_stored(archive, path.stat().st_size)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            stored = {name: np.asarray(arrays[name]) for name in arrays.files}
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} is missing: this student was trained on normalised observations, and the file holds "
            "their means and deviations"
        ) from error
    except Exception as error:  # damaged archives, or arrays in them, can raise anything
        raise ValueError(f"{path} is damaged: {' '.join(str(error).split())[:300]}") from error
    for name, statistics in _statistics(normalizer):
        for field in ("mean", "var", "count"):
            value = stored.get(f"{name}/{field}")
            current = getattr(statistics, field)
            if value is None or value.shape != np.shape(current):
                raise ValueError(f"{path} holds statistics of other observations than this env's: {name}")
            setattr(statistics, field, value if value.ndim else value[()])


def _statistics(normalizer: VecNormalize) -> Iterator[tuple[str, RunningMeanStd]]:
    """The running statistics of a `VecNormalize`, by name."""
    if normalizer.norm_obs:
        if isinstance(normalizer.obs_rms, dict):
            yield from ((f"observation/{key}", part) for key, part in normalizer.obs_rms.items())
        else:
            yield "observation", normalizer.obs_rms
    yield "return", normalizer.ret_rms


def _read(path: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            _require_stored(archive, path.stat().st_size)
            return archive.read(member)
    except KeyError as error:
        raise ValueError(
            f"{path} is not a model that Stable-Baselines3 has saved: {member} is not in it"
        ) from error
    except Exception as error:  # damaged archives can raise anything
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())[:300]}") from error


@contextmanager
def _safetensors(path: Path) -> Iterator[Any]:
    _require_safetensors()
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except Exception as error:  # damaged files can raise anything
        raise ValueError(f"{path} is damaged: {' '.join(str(error).split())[:300]}") from error


def _require_safetensors() -> None:
    if importlib.util.find_spec("safetensors") is None:
        raise ValueError(f"{TENSORS} needs the extra 'export': pip install 'chiron-curricula[export]'")


def _require_stored(archive: zipfile.ZipFile, size: int) -> None:
    """Check that the members of an archive are no larger than it, since these files are not compressed."""
    declared = sum(member.file_size for member in archive.infolist())
    if declared > size:
        raise ValueError(f"it declares {declared:,} bytes and has {size:,}")


class _NeverPlayed(gym.Env[Any, Any]):
    """An env that is never reset: it only provides the spaces to algorithms."""

    def __init__(self, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observations, actions

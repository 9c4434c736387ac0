"""Many walkers stepped on a GPU, as a Gymnasium vector environment whose arrays torch can read in place."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import cuda
from numpy.typing import NDArray

from .engine import Tracks
from .gpu_kernels import launch, load_kernels
from .vector_env import Walker, WalkerVectorEnv

_STATE = ("worlds", "body", "obstacles", "segments")
_RESULTS = ("observations", "rewards", "terminated", "truncated", "returns", "errors")
_MOVING = ("worlds", "obstacles", "segments", "observations", "terminated", "truncated")


class GpuError(ValueError):
    """The GPU engine was requested without a GPU, or without the software to use it."""


class DeviceTensors(NamedTuple):
    """Torch's view of the arrays on the GPU. Every step and every reset overwrites them."""

    observations: torch.Tensor
    """float32 of shape (n, observations)."""
    rewards: torch.Tensor
    """float64 of shape (n,)."""
    terminated: torch.Tensor
    """bool of shape (n,)."""
    truncated: torch.Tensor
    """bool of shape (n,)."""
    episode_returns: torch.Tensor
    """float64 of shape (n,): the sum of the episode's rewards so far."""


class GpuWalkerVectorEnv(WalkerVectorEnv):
    """`WalkerVectorEnv` on a GPU: one thread per slot, with the same functions and results.

    `reset` and `step` take and return NumPy arrays. `step_on_device` takes torch tensors and returns tensors
    that share the engine's memory. The first use on a machine compiles the kernels, which takes about a
    minute; later ones find them in Numba's cache.

    Args:
        env: An env that the slots are like. It defines tasks, tracks, body and episodes, and is not stepped
            itself.
        num_envs: Number of slots; a GPU needs ten thousand or more to be used well.
        action_repeat: How often each action is played in a row, as one step whose reward is the sum; a slot
            stops when its episode ends.

    Raises:
        GpuError: If there is no CUDA GPU, or the extra `cuda` is not installed.
        ValueError: If there are no slots, an action would not be played, or the body is larger than the
            engine's arrays.
    """

    def __init__(self, env: Walker, num_envs: int, action_repeat: int = 1) -> None:
        require_gpu()
        super().__init__(env, num_envs, action_repeat=action_repeat)
        self._returns, self._no_rewards = np.zeros(num_envs), np.zeros(num_envs)
        self._kernels = load_kernels()
        names = (*_STATE, *_RESULTS, "actions", "everyone")
        self._device = {name: cuda.to_device(getattr(self, f"_{name}")) for name in names}

    @property
    def tensors(self) -> DeviceTensors:
        """Results of the last step or reset, on the GPU; nothing is copied."""
        names = ("observations", "rewards", "terminated", "truncated", "returns")
        return DeviceTensors(*(torch.as_tensor(self._device[name], device="cuda") for name in names))

    def step_on_device(
        self, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Advance slots like `step`, without leaving the GPU.

        Args:
            actions: float32 of shape (n, joints), on the GPU or not.

        Returns:
            The results of `step` as tensors on the GPU, always with infos. The next step or reset overwrites
            the first four. Use them in torch's default stream, which waits for the engine.

        Raises:
            RuntimeError: If a slot has not been reset yet.
            EngineError: If a state is no longer finite.
        """
        self._require_episodes()
        observations, rewards, terminated, truncated, returns = self.tensors
        resting = terminated | truncated
        torch.as_tensor(self._device["actions"], device="cuda").copy_(actions)
        self._launch_steps(self._device["everyone"], self.action_repeat)
        self.steps += 1
        ended = (terminated | truncated) & ~resting
        infos = {"is_success": (returns > self.mastered_return) & ended, "_is_success": ended}
        return observations, rewards, terminated, truncated, infos

    def _build(self, slots: NDArray[np.int64], tracks: Tracks) -> None:
        state = [self._device[name] for name in _STATE]
        # Number of corners of each track: the ends of its obstacles are relative to its first corner.
        counts = np.diff(tracks.obstacle_ends, prepend=0)
        corner_counts = np.zeros_like(tracks.obstacle_ends)
        corner_counts[counts > 0] = tracks.corner_ends[tracks.obstacle_ends[counts > 0] - 1]
        corner_starts = np.cumsum(corner_counts) - corner_counts
        ground, ground_ends, corners, *others = tracks
        parts = (slots, ground, ground_ends, corners, corner_starts, *others)
        uploaded = [cuda.to_device(array) for array in parts]
        launch(self._kernels.start, len(slots), *state, *uploaded, self._device["errors"])
        self._device["errors"].copy_to_host(self._errors)

    def _advance(self, slots: NDArray[np.int64], actions: NDArray[np.float32], times: int) -> None:
        self._device["actions"].copy_to_device(actions)
        self._launch_steps(cuda.to_device(slots), times)
        for name in _RESULTS:
            self._device[name].copy_to_host(getattr(self, f"_{name}"))

    def _launch_steps(self, slots: Any, times: int) -> None:
        """Advance the slots that are not resting; 0 times makes the first step of their episodes."""
        device, kernels, count = self._device, self._kernels, len(slots)
        worlds, body, obstacles, segments = (device[name] for name in _STATE)
        chosen = (slots, times == 0, device["terminated"], device["truncated"])
        results = [device[name] for name in ("observations", "rewards", "returns", "errors")]
        device["rewards"].copy_to_device(self._no_rewards)
        for _ in range(max(times, 1)):
            launch(kernels.collide, count, worlds, body, obstacles, segments, *chosen, device["actions"])
            launch(kernels.solve, count, worlds, body, *chosen)
            launch(kernels.finish, count, worlds, body, obstacles, segments, *chosen)
            launch(kernels.tell, count, worlds, body, obstacles, segments, *chosen, *results)
            device["errors"].copy_to_host(self._errors)
            self._report_problems()

    def _episode_returns(self) -> NDArray[np.float64]:
        return self._returns

    def _report_problems(self) -> None:
        if self._errors.any():
            self._fetch()
        super()._report_problems()

    def _make_room(self, obstacles: int, segments: int) -> None:
        if obstacles > self._obstacles.shape[1] or segments > self._segments.shape[1]:
            self._fetch()
            super()._make_room(obstacles, segments)
            self._upload()

    def _fetch(self) -> None:
        """Update the copy in main memory."""
        for name in _MOVING:
            self._device[name].copy_to_host(getattr(self, f"_{name}"))

    def _upload(self) -> None:
        """Upload the copy in main memory, to the same device memory if it fits, since tensors share that."""
        for name in _MOVING:
            array = getattr(self, f"_{name}")
            if self._device[name].shape == array.shape:
                self._device[name].copy_to_device(array)
            else:
                self._device[name] = cuda.to_device(array)

    def state_dict(self) -> dict[str, Any]:
        self._fetch()
        return super().state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._upload()


def require_gpu() -> None:
    """Check that there is a GPU to compute on.

    Raises:
        GpuError: If there is none, or Numba cannot use it.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        missing = "numba-cuda is not installed"
    elif not cuda.is_available():
        missing = "numba finds no GPU"
    else:
        return
    raise GpuError(
        "engine=cuda needs an NVIDIA GPU with its driver, and pip install 'chiron-curricula[cuda]' "
        f"({missing}); engine=batched computes the same without"
    )

"""A replay buffer on the same device as the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import BaseBuffer, ReplayBuffer
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor


@dataclass(frozen=True)
class Minibatch:
    """Transitions drawn from a replay buffer.

    Attributes:
        rows: Observation, action, next observation, reward, and 1 unless the episode ended there, else 0 (an
            episode cut by a time limit goes on): shape (n, 2 · observation_dim + action_dim + 2).
        observation_dim: Numbers in an observation.
        action_dim: Numbers in an action.
    """

    rows: Tensor
    observation_dim: int
    action_dim: int

    @property
    def observations(self) -> Tensor:
        """Shape (n, observation_dim)."""
        return self.rows[:, : self.observation_dim]

    @property
    def pairs(self) -> Tensor:
        """Observations and actions, shape (n, observation_dim + action_dim)."""
        return self.rows[:, : self.observation_dim + self.action_dim]

    @property
    def actions(self) -> Tensor:
        """Shape (n, action_dim)."""
        return self.rows[:, self.observation_dim : self.observation_dim + self.action_dim]

    @property
    def next_observations(self) -> Tensor:
        """Shape (n, observation_dim)."""
        return self.rows[:, self.observation_dim + self.action_dim : -2]

    @property
    def rewards(self) -> Tensor:
        """Shape (n, 1)."""
        return self.rows[:, -2:-1]

    @property
    def goes_on(self) -> Tensor:
        """Shape (n, 1)."""
        return self.rows[:, -1:]


class DeviceReplayBuffer(ReplayBuffer):
    """Transitions as rows of one float32 tensor (see `Minibatch`), drawn without synchronizing with the host.

    On a CPU the rows drawn are those that Stable-Baselines3's own buffer draws from the same seed; on a GPU
    they come from the device's generator.

    Args:
        buffer_size: Capacity in transitions, over all envs.
        observation_space: Box of floats.
        action_space: Box.
        device: Device of the rows.
        n_envs: Number of envs.
        handle_timeout_termination: Whether an episode cut by a time limit goes on.

    Raises:
        ValueError: If the rows do not fit into the device's free memory.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        handle_timeout_termination: bool = True,
    ) -> None:
        BaseBuffer.__init__(self, buffer_size, observation_space, action_space, device, n_envs)
        self.buffer_size = max(buffer_size // n_envs, 1)
        self.handle_timeout_termination = handle_timeout_termination
        self.optimize_memory_usage = False
        self._observation_dim = int(np.prod(self.obs_shape))
        self._width = 2 * self._observation_dim + self.action_dim + 2
        self._held: list[NDArray[np.float32]] | None = None
        self._require_memory()
        shape = (self.buffer_size * n_envs, self._width)
        if self.device.type == "cpu":
            # Unlike torch's, numpy's zeros take no memory until they are written to.
            self._rows = torch.from_numpy(np.zeros(shape, dtype=np.float32))
        else:
            self._rows = torch.zeros(shape, device=self.device)
        self._filled = torch.zeros((), dtype=torch.int64, device=self.device)
        self._shift = torch.zeros(self._width, dtype=torch.float64, device=self.device)
        self._scale = torch.ones_like(self._shift)
        self._limit = torch.full_like(self._shift, torch.inf)

    def _require_memory(self) -> None:
        free = _free_bytes(self.device)
        bytes_per_row = 4 * self._width
        if free is not None and free < bytes_per_row * self.buffer_size * self.n_envs:
            raise ValueError(
                f"buffer_size={self.buffer_size * self.n_envs} needs "
                f"{bytes_per_row * self.buffer_size * self.n_envs / 1e9:.1f} GB on {self.device}, where "
                f"{free / 1e9:.1f} GB are free: buffer_size={free // bytes_per_row} would fit"
            )

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        cut = [self.handle_timeout_termination and info.get("TimeLimit.truncated", False) for info in infos]
        parts = (
            obs.reshape(self.n_envs, -1),
            action.reshape(self.n_envs, -1),
            next_obs.reshape(self.n_envs, -1),
            reward.reshape(self.n_envs, 1),
            (1 - done * ~np.array(cut, dtype=bool)).reshape(self.n_envs, 1),
        )
        rows = np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")
        if self._held is None:
            self._write(rows)
        else:
            self._held.append(rows)

    def _write(self, rows: NDArray[np.float32]) -> None:
        self._rows[self.pos * self.n_envs : (self.pos + 1) * self.n_envs].copy_(torch.from_numpy(rows))
        self.pos += 1
        if self.pos == self.buffer_size:
            self.full = True
            self.pos = 0

    def hold(self) -> None:
        """Keep added transitions aside from now on, so that rows can be drawn at the same time."""
        self._held = []

    def release(self) -> None:
        """Store the transitions kept aside, and stop keeping them aside."""
        held, self._held = self._held, None
        for rows in held or []:
            self._write(rows)

    def prepare(self, env: VecNormalize | None) -> None:
        """Update the number of rows and the normalisation statistics that `draw` uses.

        Args:
            env: Its statistics normalise observations and rewards, as in Stable-Baselines3.
        """
        self._filled.fill_(self.size() * self.n_envs)
        if env is None:
            return
        shift, scale, limit = np.zeros(self._width), np.ones(self._width), np.full(self._width, np.inf)
        if env.norm_obs:
            seen = env.obs_rms
            assert isinstance(seen, RunningMeanStd)  # as the observation space is a Box
            for columns in (
                slice(0, self._observation_dim),
                slice(self._observation_dim + self.action_dim, -2),
            ):
                shift[columns] = seen.mean.ravel()
                scale[columns] = np.sqrt(seen.var.ravel() + env.epsilon)
                limit[columns] = env.clip_obs
        if env.norm_reward:
            scale[-2] = np.sqrt(env.ret_rms.var + env.epsilon)
            limit[-2] = env.clip_reward
        for own, new in ((self._shift, shift), (self._scale, scale), (self._limit, limit)):
            own.copy_(torch.from_numpy(new))

    def draw(self, n: int, normalize: bool) -> Minibatch:
        """Transitions drawn with replacement, after `prepare`.

        Args:
            n: Number of transitions.
            normalize: Whether to normalise with the statistics passed to `prepare`.
        """
        rows = self._rows.index_select(0, self._draw_indices(n))
        if normalize:
            normal = (rows - self._shift) / self._scale
            rows = torch.minimum(torch.maximum(normal, -self._limit), self._limit).float()
        return Minibatch(rows, self._observation_dim, self.action_dim)

    def _draw_indices(self, n: int) -> Tensor:
        if self.device.type != "cpu":
            # The number of rows is on the device, so that a captured draw sees it grow.
            return torch.randint(2**62, (n,), device=self.device).remainder_(self._filled)
        steps = np.random.randint(0, self.size(), size=n)  # noqa: NPY002 (Stable-Baselines3's own draws)
        slots = np.random.randint(0, self.n_envs, size=n)  # noqa: NPY002
        return torch.from_numpy(steps * self.n_envs + slots)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        self.prepare(env)
        drawn = self.draw(batch_size, env is not None)
        shape = (batch_size, *self.obs_shape)
        return ReplayBufferSamples(
            drawn.observations.reshape(shape),
            drawn.actions,
            drawn.next_observations.reshape(shape),
            1 - drawn.goes_on,
            drawn.rewards,
        )

    def tensors(self) -> list[Tensor]:
        """The tensors that `draw` reads."""
        return [self._rows, self._filled, self._shift, self._scale, self._limit]

    def as_stock(self) -> ReplayBuffer:
        """The same transitions as Stable-Baselines3's own buffer, whose files both classes can read."""
        stock = ReplayBuffer(
            self.buffer_size * self.n_envs, self.observation_space, self.action_space, "cpu", self.n_envs
        )
        rows = self._rows.cpu().numpy().reshape(self.buffer_size, self.n_envs, self._width)
        dims = np.cumsum([self._observation_dim, self.action_dim, self._observation_dim, 1])
        obs, actions, next_obs, rewards, goes_on = np.split(rows, dims, axis=2)
        stock.observations[:] = obs.reshape(stock.observations.shape)
        stock.next_observations[:] = next_obs.reshape(stock.observations.shape)
        stock.actions[:] = actions
        stock.rewards[:] = rewards[..., 0]
        stock.dones[:] = 1 - goes_on[..., 0]
        stock.handle_timeout_termination = self.handle_timeout_termination
        stock.pos, stock.full = self.pos, self.full
        return stock

    def take(self, stock: ReplayBuffer) -> None:
        """Replace the contents by the transitions of one of Stable-Baselines3's own buffers.

        Raises:
            ValueError: If it has a different size.
        """
        shape = (self.buffer_size, self.n_envs)
        if stock.rewards.shape != shape or stock.optimize_memory_usage:
            raise ValueError(
                f"the stored replay buffer has (steps, environments) {stock.rewards.shape}, this one has "
                f"{shape}: give both the same buffer_size and number of environments, and "
                f"optimize_memory_usage=False"
            )
        parts = (
            stock.observations.reshape(*shape, -1),
            stock.actions,
            stock.next_observations.reshape(*shape, -1),
            stock.rewards[..., None],
            (1 - stock.dones * (1 - stock.timeouts))[..., None],
        )
        rows = np.concatenate(parts, axis=2, dtype=np.float32, casting="unsafe")
        self._rows.copy_(torch.from_numpy(rows.reshape(self._rows.shape)))
        self.pos, self.full = stock.pos, stock.full


def _free_bytes(device: torch.device) -> int | None:
    """Free memory of a GPU; None for a CPU, where the operating system allocates memory as it is used."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None

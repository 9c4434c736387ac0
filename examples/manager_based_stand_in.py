"""A stand-in for a manager-based GPU simulator: batched carts that push loads up slopes, as tensors.

It has the parts of Isaac Lab's and mjlab's `ManagerBasedRLEnv` that a curriculum term uses, under the same
names, and calls them in the same order: at a reset the curriculum manager comes first, then events, then the
other managers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

_TIME_STEP = 0.02
_GRAVITY = 9.81
_STRONGEST_PUSH = 400.0


class CurriculumManager:
    """Calls curriculum terms, and logs what they return."""

    def __init__(self, cfg: Mapping[str, Any], env: ManagerBasedEnv) -> None:
        self._env = env
        self.terms = {name: term(cfg, env) for name, term in cfg.items()}
        self._states: dict[str, dict[str, float]] = {}

    def compute(self, env_ids: Any = None) -> None:
        """Call every term with the envs that are about to be reset."""
        for name, term in self.terms.items():
            self._states[name] = term(self._env, slice(None) if env_ids is None else env_ids)

    def reset(self) -> dict[str, float]:
        """Values returned by the terms, for the log."""
        return {
            f"Curriculum/{name}/{key}": value
            for name, state in self._states.items()
            for key, value in state.items()
        }


class ManagerBasedEnv:
    """Many carts that must get as far up their slopes as possible without rolling back.

    Args:
        num_envs: Number of carts.
        device: Device of the tensors.
        curriculum: Curriculum term classes, by name.
        reset_events: Functions called with env and ids at every reset.
        max_episode_length: Steps after which an episode ends by time-out.
    """

    def __init__(
        self,
        num_envs: int,
        device: torch.device | str,
        curriculum: Mapping[str, Any],
        reset_events: Sequence[Callable[[Any, Any], None]],
        max_episode_length: int = 100,
    ) -> None:
        self.num_envs, self.device = num_envs, torch.device(device)
        self.max_episode_length = max_episode_length
        zeros = torch.zeros(num_envs, device=self.device)
        self.position, self.speed = zeros.clone(), zeros.clone()
        self.slope, self.friction, self.mass = zeros.clone(), zeros.clone(), zeros + 20.0
        self.reward_buf = zeros.clone()
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self.reward_manager = SimpleNamespace(
            _episode_sums={"progress": zeros.clone(), "effort": zeros.clone()}
        )
        flags = torch.zeros(num_envs, dtype=torch.bool, device=self.device)
        self.termination_manager = SimpleNamespace(time_outs=flags.clone(), terminated=flags.clone())
        self.tasks = torch.empty(num_envs, 0, device=self.device)
        self.extras: dict[str, Any] = {}
        self._reset_events = reset_events
        self.curriculum_manager = CurriculumManager(curriculum, self)

    def reset(self) -> Tensor:
        """Reset all envs."""
        self._reset_idx(torch.arange(self.num_envs, device=self.device))
        return self._observe()

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Push, and reset the envs whose episodes end."""
        push = action[:, 0].clamp(0.0, 1.0) * _STRONGEST_PUSH
        pull = self.mass * _GRAVITY * self.slope.sin() + 20.0 * self.friction * self.speed
        self.speed += (push - pull) / self.mass * _TIME_STEP
        self.position += self.speed * _TIME_STEP
        self.episode_length_buf += 1
        rewards = {"progress": self.speed * _TIME_STEP, "effort": -0.1 * action[:, 0] * _TIME_STEP}
        for name, value in rewards.items():
            self.reward_manager._episode_sums[name] += value
        self.reward_buf = torch.stack([*rewards.values()]).sum(dim=0)
        terminated = self.position < -0.1
        time_outs = (self.episode_length_buf >= self.max_episode_length) & ~terminated
        self.termination_manager.terminated, self.termination_manager.time_outs = terminated, time_outs
        ended = (terminated | time_outs).nonzero().flatten()
        if len(ended):
            self._reset_idx(ended)
        return self._observe(), self.reward_buf, terminated, time_outs, self.extras

    def _reset_idx(self, env_ids: Tensor) -> None:
        self.curriculum_manager.compute(env_ids)
        self.position[env_ids] = self.speed[env_ids] = 0.0
        for event in self._reset_events:
            event(self, env_ids)
        for sums in self.reward_manager._episode_sums.values():
            sums[env_ids] = 0.0
        self.episode_length_buf[env_ids] = 0
        self.extras["log"] = self.curriculum_manager.reset()

    def _observe(self) -> Tensor:
        return torch.stack([self.position, self.speed, self.slope, self.friction, self.mass], dim=1)

"""Stable-Baselines3's SAC with the whole update as one function, captured as a CUDA graph on a GPU."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.save_util import load_from_pkl, save_to_pkl
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from .captured import Captured
from .device_replay_buffer import DeviceReplayBuffer
from .sac_update import STATISTICS, SACUpdate

_FLAGS = ("fused", "foreach", "capturable")
"""Implementation options of Adam that do not affect results."""


class FastSAC(SAC):
    """A faster SAC: same constructor, files and callbacks as `stable_baselines3.SAC`.

    On a GPU one gradient step, from drawing the minibatch to moving the target networks, is captured once as
    a CUDA graph and replayed; the replay buffer is on the device, and nothing within a block of gradient
    steps waits for it. On a CPU the same code runs directly, and the same seed gives the run of stock SAC up
    to rounding. A model or a replay buffer saved by either class can be loaded by the other.

    Logged values such as `train/actor_loss` are means over all gradient steps since the last log; stock SAC
    logs those of the last block of gradient steps.

    Raises:
        ValueError: If a minibatch is larger than the replay buffer, if the replay buffer does not fit into
            the device's memory, or if an option cannot be captured: gSDE, n-step returns, a replay buffer,
            policy, activation, optimizer or feature extractor other than the default, or spaces that are
            not a Box of floats.
    """

    replay_buffer: DeviceReplayBuffer

    def _setup_model(self) -> None:
        self._refuse()
        self._steps: dict[bool, Captured] = {}
        self._captured_with: list[tuple[float, ...]] = []
        self._since_log = 0
        assert isinstance(self.observation_space, spaces.Box)
        assert isinstance(self.action_space, spaces.Box)
        self.replay_buffer = DeviceReplayBuffer(
            self.buffer_size,
            self.observation_space,
            self.action_space,
            self.device,
            self.n_envs,
            **self.replay_buffer_kwargs,
        )
        super()._setup_model()
        self._make_capturable()
        learned = self.ent_coef_optimizer is not None
        self._update = SACUpdate(
            self.actor,
            self.critic,
            self.critic_target,
            self.log_ent_coef if learned else self.ent_coef_tensor,  # type: ignore[arg-type]
            self.ent_coef_optimizer,
            float(self.target_entropy),
            self.gamma,
            self.tau,
        )
        # A separate attribute, so that it is part of the training state.
        self._statistics = self._update.statistics

    def _refuse(self) -> None:
        """Raise an error for the first unsupported option, in one sentence."""
        for name, value, allowed in self._settings():
            if value not in allowed:
                shown = " or ".join(_shown(choice) for choice in allowed)
                raise ValueError(
                    f"{name}={_shown(value)} is nothing FastSAC can do: it must be {shown} "
                    f"(stable_baselines3.SAC does more)"
                )
        unknown = set(self.replay_buffer_kwargs) - {"handle_timeout_termination"}
        if unknown:
            raise ValueError(
                f"replay_buffer_kwargs={sorted(unknown)} is nothing FastSAC can do: it understands "
                f"handle_timeout_termination (stable_baselines3.SAC does more)"
            )
        for name, space in (("observation", self.observation_space), ("action", self.action_space)):
            if not isinstance(space, spaces.Box) or space.dtype.kind != "f":
                raise ValueError(f"FastSAC needs a Box of floats as {name} space, got {space}")
        rows = max(self.buffer_size // self.n_envs, 1) * self.n_envs
        if self.batch_size > rows:
            raise ValueError(
                f"batch_size={self.batch_size} must be at most the {rows} transitions that "
                f"buffer_size={self.buffer_size} holds of {self.n_envs} environments"
            )

    def _settings(self) -> list[tuple[str, Any, tuple[Any, ...]]]:
        """Name, value and allowed values of each option that stock SAC restricts less."""
        policy = self.policy_kwargs
        optimizer = policy.get("optimizer_kwargs") or {}
        return [
            (
                "policy",
                "MlpPolicy" if self.policy_class is SACPolicy else self.policy_class,
                ("MlpPolicy",),
            ),
            ("use_sde", self.use_sde, (False,)),
            ("n_steps", self.n_steps, (1,)),
            ("optimize_memory_usage", self.optimize_memory_usage, (False,)),
            ("replay_buffer_class", self.replay_buffer_class, (None, ReplayBuffer)),
            ("policy_kwargs.activation_fn", policy.get("activation_fn", nn.ReLU), (nn.ReLU,)),
            (
                "policy_kwargs.features_extractor_class",
                policy.get("features_extractor_class", FlattenExtractor),
                (FlattenExtractor,),
            ),
            (
                "policy_kwargs.optimizer_class",
                policy.get("optimizer_class", torch.optim.Adam),
                (torch.optim.Adam,),
            ),
            (
                "policy_kwargs.optimizer_kwargs.differentiable",
                optimizer.get("differentiable", False),
                (False,),
            ),
        ]

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        found = {"actor.optimizer": self.actor.optimizer, "critic.optimizer": self.critic.optimizer}
        if self.ent_coef_optimizer is not None:
            found["ent_coef_optimizer"] = self.ent_coef_optimizer
        return found

    def _make_capturable(self) -> None:
        """Make optimizers step in a single call, and on a GPU without synchronizing with the host."""
        on_gpu = self.device.type != "cpu"
        for optimizer in self._optimizers().values():
            for group in optimizer.param_groups:
                group.update(fused=True, foreach=False, capturable=on_gpu)
                if on_gpu:
                    group["lr"] = torch.tensor(float(group["lr"]), device=self.device)
            for state in optimizer.state.values():
                state["step"] = state["step"].to(self.device)

    def _update_learning_rate(self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer) -> None:
        if self.device.type == "cpu":
            super()._update_learning_rate(optimizers)
            return
        rate = self.lr_schedule(self._current_progress_remaining)
        self.logger.record("train/learning_rate", rate)
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group["lr"].fill_(rate)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        self.policy.set_training_mode(True)
        self._update_learning_rate(list(self._optimizers().values()))
        self.replay_buffer.prepare(self._vec_normalize_env)
        self._update.gamma, self._update.tau = self.gamma, self.tau
        self._make_gradient_steps(gradient_steps, batch_size)
        self._since_log += gradient_steps
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _make_gradient_steps(self, gradient_steps: int, batch_size: int) -> None:
        if self._what_is_captured(batch_size) != self._captured_with:
            self._steps = {}
        for gradient_step in range(gradient_steps):
            move_targets = gradient_step % self.target_update_interval == 0
            if move_targets not in self._steps:
                self._steps[move_targets] = self._capture(batch_size, move_targets)
            self._steps[move_targets]()
        self._captured_with = self._what_is_captured(batch_size)

    def _capture(self, batch_size: int, move_targets: bool) -> Captured:
        buffer, update = self.replay_buffer, self._update
        normalize = self._vec_normalize_env is not None
        return Captured(
            lambda: update(buffer.draw(batch_size, normalize), move_targets), torch.device(self.device)
        )

    def _what_is_captured(self, batch_size: int) -> list[tuple[float, ...]]:
        """Addresses of the tensors of a captured step, and its constants.

        Optimizers make new tensors at their first step and when their state is loaded; users may replace the
        replay buffer, normalizer, gamma or tau.
        """
        tensors = [*self._update.tensors(), *self.replay_buffer.tensors()]
        places: list[tuple[float, ...]] = [(tensor.data_ptr(), tensor.numel()) for tensor in tensors]
        return [*places, (batch_size, self._vec_normalize_env is not None, self.gamma, self.tau)]

    def dump_logs(self) -> None:
        self._record_statistics()
        super().dump_logs()

    def _record_statistics(self) -> None:
        if self._since_log == 0:
            return
        means = (self._update.statistics / self._since_log).tolist()
        for name, mean in zip(STATISTICS, means, strict=True):
            if name != "ent_coef_loss" or self.ent_coef_optimizer is not None:
                self.logger.record(f"train/{name}", mean)
        self._update.statistics.zero_()
        self._since_log = 0

    def get_parameters(self) -> dict[str, dict[str, Any]]:
        parameters = super().get_parameters()
        for name, optimizer in self._optimizers().items():
            parameters[name] = _as_stock(parameters[name], optimizer.defaults)
        return parameters

    def set_parameters(
        self,
        load_path_or_dict: str | dict[str, Any],
        exact_match: bool = True,
        device: torch.device | str = "auto",
    ) -> None:
        super().set_parameters(load_path_or_dict, exact_match, device)
        self._make_capturable()

    def save_replay_buffer(self, path: str | pathlib.Path | io.BufferedIOBase) -> None:
        save_to_pkl(path, self.replay_buffer.as_stock(), self.verbose)

    def load_replay_buffer(
        self, path: str | pathlib.Path | io.BufferedIOBase, truncate_last_traj: bool = True
    ) -> None:
        stock = load_from_pkl(path, self.verbose)
        if type(stock) is not ReplayBuffer:
            raise ValueError(
                f"FastSAC reads replay buffers of class ReplayBuffer, not {type(stock).__name__}"
            )
        self.replay_buffer.take(stock)

    def _excluded_save_params(self) -> list[str]:
        own = ["_steps", "_captured_with", "_update", "_since_log", "_statistics"]
        return [*super()._excluded_save_params(), *own]


def _as_stock(state: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state in the form of one that was never made capturable."""
    groups = [
        {**group, **{flag: defaults[flag] for flag in _FLAGS}, "lr": float(group["lr"])}
        for group in state["param_groups"]
    ]
    moments = {key: {**value, "step": value["step"].cpu()} for key, value in state["state"].items()}
    return {"state": moments, "param_groups": groups}


def _shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)

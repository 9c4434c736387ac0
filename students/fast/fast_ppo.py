"""Stable-Baselines3's PPO with a hand-written update."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv

from .partial_rollout import PartialRollout
from .ppo_choices import PPOChoices
from .ppo_update import STATISTICS, Minibatch, PPOUpdate, can_be_written_out


class FastPPO(PPO):
    """A faster PPO: same constructor, files, callbacks and random draws as `stable_baselines3.PPO`.

    The same seed gives the run of stock PPO up to rounding. Cases that the hand-written update does not cover
    (policies other than plain tanh networks on flat observations, a clipped value function, a limit on the
    Kullback-Leibler divergence) use stock PPO's update, at its speed.

    Attributes:
        learns_from: Which transitions of the rollout to learn from, bool of shape (n_steps, n_envs), or None
            for all. Set it when a rollout has ended; the following update resets it to None. If no transition
            is selected, the update changes nothing.
    """

    learns_from: NDArray[np.bool_] | None = None
    _update: PPOUpdate | None = None

    def _setup_model(self) -> None:
        super()._setup_model()
        self._update = None

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        if not self._can_be_written_out() or not isinstance(self.action_space, spaces.Box):
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        # A callback may replace the policy meanwhile.
        policy = self.policy
        policy.forward = PPOChoices(policy)  # type: ignore[method-assign, assignment]
        try:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        finally:
            del policy.forward

    def train(self) -> None:
        mask, self.learns_from = self.learns_from, None
        # In the order of the buffer's flattened arrays.
        rows = None if mask is None or mask.all() else np.flatnonzero(mask.T)
        if rows is not None and not len(rows):
            return
        if not self._can_be_written_out():
            self._train_as_stock_ppo(rows)
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        if self._update is None or not self._update.is_current():
            self._update = PPOUpdate(self.policy)
        update = self._update
        update.forget_statistics()
        clip_range = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        rollout = self._rollout() if rows is None else self._rollout().pick(torch.from_numpy(rows))
        for _ in range(self.n_epochs):
            # The order that stock PPO's buffer would draw.
            order = torch.from_numpy(np.random.permutation(len(rollout)))  # noqa: NPY002
            for batch in rollout.pick(order).split(self.batch_size):
                update(
                    batch,
                    clip_range,
                    self.ent_coef,
                    self.vf_coef,
                    self.max_grad_norm,
                    self.normalize_advantage,
                )
            self._n_updates += 1
        self._record(clip_range)

    def _train_as_stock_ppo(self, rows: NDArray[np.intp] | None) -> None:
        whole = self.rollout_buffer
        if rows is not None:
            self.rollout_buffer = PartialRollout(whole, rows)  # type: ignore[assignment]
        try:
            super().train()
        finally:
            self.rollout_buffer = whole

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_update", "learns_from"]

    def _can_be_written_out(self) -> bool:
        return (
            self.clip_range_vf is None
            and self.target_kl is None
            and self.device.type == "cpu"
            and type(self.rollout_buffer) is RolloutBuffer
            and isinstance(self.observation_space, spaces.Box)
            and self.observation_space.dtype.kind == "f"
            and can_be_written_out(self.policy)
        )

    def _rollout(self) -> Minibatch:
        buffer = self.rollout_buffer
        n = buffer.buffer_size * buffer.n_envs

        def flat(array: np.ndarray[Any, Any]) -> torch.Tensor:
            # Observations and actions have the types of their spaces.
            return torch.from_numpy(buffer.swap_and_flatten(array)).reshape(n, -1).float()

        return Minibatch(
            flat(buffer.observations),
            flat(buffer.actions),
            *(flat(array).squeeze(1) for array in (buffer.log_probs, buffer.advantages, buffer.returns)),
        )

    def _record(self, clip_range: float) -> None:
        assert self._update is not None
        told = self._update.statistics(clip_range, self.ent_coef, self.vf_coef)
        per_epoch = len(told) // self.n_epochs
        # As in stock PPO, the divergence is that of the last epoch, the loss that of the last minibatch.
        since = {"approx_kl": -per_epoch, "loss": -1}
        for name, values in zip(STATISTICS, told.T, strict=True):
            self.logger.record(f"train/{name}", values[since.get(name, 0) :].mean().item())
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", self.policy.log_std.detach().exp().mean().item())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip_range)

"""SAC that acts while it learns."""

from __future__ import annotations

import copy
import io
import pathlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from .fast_sac import FastSAC


class OverlappedSAC(FastSAC):
    """FastSAC that steps its envs while the device makes the gradient steps of the last rollout.

    A rollout uses the actor from before the current block of gradient steps: at most one block older than
    FastSAC's, which waits for each block. The number of gradient steps and their transitions are the same:
    transitions collected meanwhile are kept aside until the block is done. Everything else that accesses
    the model (`predict`, files, the end of `learn`) waits for the block; the log shows the last finished
    one.

    A GPU processes its queued work by itself, and acting is done on the CPU. On a CPU a thread makes the
    gradient steps; this gains little, since it shares cores and Python's lock with the envs. The order of
    random draws depends on the speed of each side, so runs are not reproducible bit for bit.

    A callback that reads parameters or the replay buffer itself must call `finish_updates` first.
    """

    _block: _Block
    _is_acting = False

    def _setup_model(self) -> None:
        super()._setup_model()
        self._block = _Block(torch.device(self.device))
        self._acting = copy.deepcopy(self.actor).to("cpu")
        self._acting.set_training_mode(False)

    def finish_updates(self) -> None:
        """Wait for the gradient steps under way.

        Raises:
            Exception: Any exception raised by them.
        """
        try:
            self._block.finish()
        finally:
            self.replay_buffer.release()

    def learn(self, *args: Any, **kwargs: Any) -> OverlappedSAC:
        try:
            super().learn(*args, **kwargs)
        finally:
            self.finish_updates()
        return self

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        self.finish_updates()
        super()._record_statistics()
        self._refresh_acting()
        super().train(gradient_steps, batch_size)

    def _make_gradient_steps(self, gradient_steps: int, batch_size: int) -> None:
        make = super()._make_gradient_steps
        self.replay_buffer.hold()
        self._block.start(lambda: make(gradient_steps, batch_size))

    def _refresh_acting(self) -> None:
        with torch.no_grad():
            for own, current in zip(self._acting.parameters(), self.actor.parameters(), strict=True):
                own.copy_(current)

    def _sample_action(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        self._is_acting = True
        try:
            return super()._sample_action(*args, **kwargs)
        finally:
            self._is_acting = False

    def predict(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        if self._is_acting:
            return self._acting.predict(*args, **kwargs)
        self.finish_updates()
        return super().predict(*args, **kwargs)

    def _record_statistics(self) -> None:
        """Does not wait, since logs are written every few episodes: records the last finished block."""

    def get_parameters(self) -> dict[str, dict[str, Any]]:
        self.finish_updates()
        return super().get_parameters()

    def set_parameters(
        self,
        load_path_or_dict: str | dict[str, Any],
        exact_match: bool = True,
        device: torch.device | str = "auto",
    ) -> None:
        self.finish_updates()
        super().set_parameters(load_path_or_dict, exact_match, device)
        self._refresh_acting()

    def save_replay_buffer(self, path: str | pathlib.Path | io.BufferedIOBase) -> None:
        self.finish_updates()
        super().save_replay_buffer(path)

    def load_replay_buffer(
        self, path: str | pathlib.Path | io.BufferedIOBase, truncate_last_traj: bool = True
    ) -> None:
        self.finish_updates()
        super().load_replay_buffer(path, truncate_last_traj)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_block", "_acting", "_is_acting"]


class _Block:
    """Work that runs concurrently with its caller.

    Args:
        device: Device of the work: a GPU processes it asynchronously, on a CPU a thread does it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._thread = ThreadPoolExecutor(1, "learner") if device.type == "cpu" else None
        self._under_way: Future[None] | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Start work, after waiting for any earlier work."""
        if self._thread is None:
            work()
        else:
            self._under_way = self._thread.submit(work)

    def finish(self) -> None:
        """Wait until the work is done; re-raises its exception, once."""
        if self._thread is None:
            torch.cuda.synchronize(self._device)
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

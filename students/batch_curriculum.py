"""A curriculum for simulators that step thousands of envs at once as torch tensors."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..envs.finite import NotFiniteError
from ..envs.task_space import TaskSpace
from ..teachers.curriculum import Curriculum

EnvIds = Tensor | Sequence[int] | slice | None
"""Indices of envs: integers of shape (m,), a slice, or None for all."""


class BatchCurriculum:
    """Chooses tasks for envs that are reset, and takes results of ended episodes, as batches of tensors.

    For simulators that keep thousands of envs on one device and reset some of them in every step. At a reset,
    call `tell` for the envs whose episode has ended and then `ask`; no calls are needed in other steps, and
    no call affects envs that it does not name. If `ask` is called for an env without `tell`, its episode is
    dropped.

    Args:
        curriculum: Chooses the tasks.
        num_envs: Number of envs.
        device: Device of all tensors passed and returned.

    Raises:
        ValueError: If there are no envs, or the teacher needs something that a batch of envs cannot provide:
            the student's critic, or a student that respects `Proposal.trains`.

    Attributes:
        curriculum: As given.
        tasks: Task of each env, float32 of shape (n, d) on the device; the default before the first `ask`.
            `ask` updates it in place, so observation and event terms can hold a reference to it.
        steps: Sum of the lengths passed to `tell`.
    """

    def __init__(
        self, curriculum: Curriculum, num_envs: int, device: torch.device | str | int = "cpu"
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs={num_envs} must be at least 1")
        curriculum.teacher.require_student("a batch of envs", frozenset(), num_envs)
        self.curriculum = curriculum
        self.num_envs = num_envs
        self.tasks = torch.as_tensor(curriculum.space.default, device=device).repeat(num_envs, 1)
        self.steps = 0

    @property
    def space(self) -> TaskSpace:
        """The task space."""
        return self.curriculum.space

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.tasks.device

    def column(self, name: str) -> Tensor:
        """One parameter of all tasks, a view of shape (n,) that changes with them.

        Raises:
            ValueError: If there is no such column.
        """
        if name not in self.space.columns:
            raise ValueError(f"{name!r} must be one of the tasks' columns {self.space.columns}")
        return self.tasks[:, self.space.columns.index(name)]

    def ask(self, env_ids: EnvIds = None) -> Tensor:
        """Choose the next tasks of some envs.

        Args:
            env_ids: Indices of the envs.

        Returns:
            Their tasks, float32 of shape (m, d), also written to `tasks`.

        Raises:
            ValueError: If there is no such env, one is named twice, or `env_ids` are on another device.
        """
        ids = self._ids(env_ids)
        if not ids:
            return self.tasks[:0]
        episodes = self.curriculum.next_tasks(ids)
        tasks = torch.as_tensor(np.array([episode.task for episode in episodes]), device=self.device)
        self.tasks[torch.as_tensor(ids, device=self.device)] = tasks
        return tasks

    def tell(
        self,
        env_ids: EnvIds,
        returns: Tensor,
        success: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> None:
        """Report the results of episodes; each is credited to the env's task from the last `ask`.

        Args:
            env_ids: Indices of the envs.
            returns: Sums of rewards, shape (m,).
            success: Whether the tasks were solved, shape (m,), for teachers that need it and for the logs.
            lengths: Numbers of steps, shape (m,), for the logs; 1 each if not given.

        Raises:
            ValueError: If there is no such env, one is named twice or has no task, a tensor has the wrong
                shape or device, or the teacher needs `success`. No result is credited then.
            NotFiniteError: If a return is not finite. No result is credited then.
        """
        ids = self._ids(env_ids)
        if not ids:
            return
        for env_id in ids:
            if not self.curriculum.is_playing(env_id):
                raise ValueError(f"env {env_id} has no task to tell a result of: ask for one first")
        scores = self._list("returns", returns, len(ids))
        if not np.isfinite(scores).all():
            env_id = ids[int(np.flatnonzero(~np.isfinite(scores))[0])]
            task = self.space.shown(self.curriculum.playing(env_id).task)
            raise NotFiniteError(f"return of env {env_id} in task ({task}) is not finite")
        if success is None and "success" in self.curriculum.teacher.needs:
            raise ValueError(f"{type(self.curriculum.teacher).__name__} needs success, a tensor of bool")
        solved = [None] * len(ids) if success is None else self._list("success", success, len(ids))
        steps = [1] * len(ids) if lengths is None else self._list("lengths", lengths, len(ids))
        for env_id, score, is_solved, length in zip(ids, scores, solved, steps, strict=True):
            self.steps += int(length)
            self.curriculum.finish(
                env_id,
                episode_return=score,
                length=int(length),
                step=self.steps,
                success=None if is_solved is None else bool(is_solved),
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: JSON values and arrays."""
        return {"curriculum": self.curriculum.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state returned by `state_dict`.

        Raises:
            ValueError: If the state is of another teacher or another task space.
        """
        self.curriculum.load_state_dict(state["curriculum"])
        self.steps = state["steps"]
        for env_id in filter(self.curriculum.is_playing, range(self.num_envs)):
            self.tasks[env_id] = torch.from_numpy(self.curriculum.playing(env_id).task)

    def _ids(self, env_ids: EnvIds) -> list[int]:
        if env_ids is None:
            env_ids = slice(None)
        if isinstance(env_ids, slice):
            return list(range(self.num_envs))[env_ids]
        ids: list[int]
        if isinstance(env_ids, Tensor):
            if env_ids.dtype.is_floating_point or env_ids.dtype == torch.bool or env_ids.ndim != 1:
                raise ValueError(
                    f"env_ids must be integers of shape (m,), got {env_ids.dtype} of shape "
                    f"{tuple(env_ids.shape)}: mask.nonzero().flatten() are those of a mask"
                )
            self._require_device("env_ids", env_ids)
            ids = env_ids.tolist()
        else:
            ids = [operator.index(env_id) for env_id in env_ids]
        if ids and not 0 <= min(ids) <= max(ids) < self.num_envs:
            wrong = next(env_id for env_id in ids if not 0 <= env_id < self.num_envs)
            raise ValueError(f"env_ids has {wrong}, but must lie in [0, {self.num_envs - 1}]")
        if len(set(ids)) < len(ids):
            twice = next(env_id for place, env_id in enumerate(ids) if env_id in ids[:place])
            raise ValueError(f"env_ids has {twice} twice")
        return ids

    def _list(self, name: str, values: Tensor, count: int) -> list[Any]:
        if not isinstance(values, Tensor) or values.shape != (count,):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"{name} must be a tensor of shape ({count},), one per env, got {got}")
        self._require_device(name, values)
        found: list[Any] = values.tolist()
        return found

    def _require_device(self, name: str, values: Tensor) -> None:
        if values.device != self.device:
            raise ValueError(
                f"{name} is on {values.device}, but the curriculum's tensors are on {self.device}: make it "
                f"with BatchCurriculum(…, device={str(values.device)!r})"
            )

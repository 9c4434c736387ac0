"""A curriculum for simulators that step thousands of envs at once, in torch's tensors."""

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
"""Which envs: integers of shape (m,), a slice of all, or None for all."""


class BatchCurriculum:
    """Tasks for envs that are reset, and results of those whose episodes have ended, in batches of tensors.

    For simulators that keep thousands of envs on one device and reset some of them in every step. At a reset,
    call `tell` for envs whose episode has ended and then `ask`; nothing is to be called in other steps, and
    no call does anything for envs that it does not name. An env that is asked for again without having been
    told drops its episode.

    Args:
        curriculum: Chooses the tasks.
        num_envs: How many envs there are.
        device: Where the tensors are, those given and those returned.

    Raises:
        ValueError: If there are no envs, or the teacher needs what a batch of envs cannot give: the student's
            critic, or a student that keeps to `Proposal.trains`.

    Attributes:
        curriculum: As given.
        tasks: Task of each env, float32 of shape (n, d) on the device; the default before the first `ask`.
            `ask` writes into it in place, so it can be kept and read by terms of observations and events.
        steps: Sum of the lengths told.
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
        """The space of the tasks."""
        return self.curriculum.space

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.tasks.device

    def column(self, name: str) -> Tensor:
        """One number of all tasks, a view of shape (n,) that changes with them.

        Raises:
            ValueError: If there is no such column.
        """
        if name not in self.space.columns:
            raise ValueError(f"{name!r} must be one of the tasks' columns {self.space.columns}")
        return self.tasks[:, self.space.columns.index(name)]

    def ask(self, env_ids: EnvIds = None) -> Tensor:
        """Choose the next tasks of some envs.

        Args:
            env_ids: Which envs.

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
        """Report how the episodes of some envs went; each result is credited to the task last asked for.

        Args:
            env_ids: Which envs.
            returns: Sums of rewards, shape (m,).
            success: Whether the tasks were solved, shape (m,), for teachers that need it and for the logs.
            lengths: Numbers of steps, shape (m,), for the logs; 1 each if not given.

        Raises:
            ValueError: If there is no such env, one is named twice or has no task, the shape or device of a
                tensor is another, or the teacher needs `success`. No result is credited then.
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
        """Resume from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is another teacher's or another task space's.
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

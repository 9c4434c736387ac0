"""What a teacher is: a distribution over tasks that moves with the episodes it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..envs.task_space import Task, TaskSpace
from .focus import Focus

Seed = int | np.random.SeedSequence | np.random.Generator | None
"""Anything `numpy.random.default_rng` takes; None alone means "no seed"."""


@dataclass(frozen=True)
class Proposal:
    """A task to play, and the ticket that comes back with its result.

    Attributes:
        task: The task, float32 of shape (d,).
        source: How the teacher came to it, for the episode log ("random", "gaussian_3", …).
        ticket: What the teacher will want to know when the result arrives: numbers, strings, arrays.
    """

    task: Task
    source: str
    ticket: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EpisodeResult:
    """How the episode of a proposal went.

    Attributes:
        proposal: The proposal that was played.
        episode_return: Sum of rewards, scaled to [0, 1] if the teacher asked for that.
        length: Number of steps.
        success: Whether the world called the episode a success; None if the world does not say.
        mastered_return: Raw return above which the world calls a task mastered; None if it does not say.
    """

    proposal: Proposal
    episode_return: float
    length: int
    success: bool | None = None
    mastered_return: float | None = None

    @property
    def task(self) -> Task:
        """The task that was played, float32 of shape (d,)."""
        return self.proposal.task


class Teacher(ABC):
    """Proposes tasks and learns from the episodes played on them.

    A subclass implements `sample` and `observe`, puts what it must remember into `_state` and
    `_load_state`, and draws from `self.rng` alone. Results may arrive in any order, and many proposals may
    be in flight at once. A teacher touches no file, logger, plot or environment.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.

    Attributes:
        space: The tasks to choose from.
        rng: The only source of randomness a teacher may use.
        needs: What a teacher must be told about an episode beyond return and length ("success").
        scales_returns: Whether returns should arrive scaled to [0, 1] by the world's return range.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    scales_returns: bool = False

    def __init__(self, space: TaskSpace, seed: Seed = None) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def sample(self) -> Proposal:
        """Propose the next task."""

    @abstractmethod
    def observe(self, result: EpisodeResult) -> None:
        """Learn how the episode of an earlier proposal went."""

    def metrics(self) -> dict[str, float]:
        """Numbers worth a curve, by name."""
        return {}

    def focus(self) -> list[Focus]:
        """The boxes or Gaussians that tasks are drawn from now, beside the whole space."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here: nested dicts of JSON values and arrays."""
        return {
            "teacher": type(self).__name__,
            "columns": self.space.columns,
            "low": self.space.low,
            "high": self.space.high,
            "rng": self.rng.bit_generator.state,
            "state": self._state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is another teacher's or another task space's.
        """
        if state["teacher"] != type(self).__name__:
            raise ValueError(
                f"teacher={state['teacher']!r} of the stored state must be {type(self).__name__!r}"
            )
        for name in ("columns", "low", "high"):
            stored, own = np.asarray(state[name]), np.asarray(getattr(self.space, name))
            if not np.array_equal(stored, own):
                raise ValueError(
                    f"{name}={stored.tolist()} of the stored state must equal this task space's "
                    f"{own.tolist()}"
                )
        self.rng.bit_generator.state = state["rng"]
        self._load_state(state["state"])

    def _state(self) -> dict[str, Any]:
        """What a subclass has learned, for `state_dict`."""
        return {}

    def _load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (nothing to take back by default)
        """Take back what `_state` returned."""

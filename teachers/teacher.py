"""The base class of all teachers: a distribution over tasks that changes with the results it observes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..envs.task_space import Task, TaskSpace
from .episode import Episode
from .focus import Focus

Seed = int | np.random.SeedSequence | np.random.Generator | None
"""Anything `numpy.random.default_rng` takes; only None means "no seed"."""


@dataclass(frozen=True)
class Proposal:
    """A task to play.

    Attributes:
        task: A point of the task space's box, float32 of shape (d,); integers are rounded when it is played.
        source: How the teacher came to it, for the episode log ("random", "gaussian_3", …).
        ticket: What the teacher wants to get back with the episode: numbers, strings, arrays.
    """

    task: Task
    source: str
    ticket: Mapping[str, Any] = field(default_factory=dict)


class Teacher(ABC):
    """Proposes tasks and learns from the episodes played on them.

    A subclass implements `sample` and `observe`, saves and restores what it has learned in `_state` and
    `_load_state`, and draws random numbers from `self.rng` only. Episodes may end in another order than
    they were proposed in, and many may be in progress at once. A teacher accesses no file, logger, plot or
    env.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.

    Attributes:
        space: The tasks to choose from.
        rng: The only random generator that a teacher may use.
        needs: What the teacher needs to know of an episode beyond return and length ("success").
        scales_returns: Whether `Episode.score` is the return scaled to [0, 1] by the env's return range, or
            the raw return.
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
    def observe(self, episode: Episode) -> None:
        """Learn from a finished episode; `episode.score` is the return to learn from."""

    def metrics(self) -> dict[str, float]:
        """Scalars to log, by name."""
        return {}

    def focus(self) -> list[Focus]:
        """The boxes or Gaussians that tasks are drawn from now, besides the whole space."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: nested dicts of JSON values and arrays."""
        return {
            "teacher": type(self).__name__,
            "columns": self.space.columns,
            "low": self.space.low,
            "high": self.space.high,
            "rng": self.rng.bit_generator.state,
            "state": self._state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned.

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

    def _load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (nothing to restore by default)
        """Restore what `_state` returned."""

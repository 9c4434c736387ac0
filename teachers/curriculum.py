"""Who plays which task when, and how it went: between a teacher and many slots of a student."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..envs.task_space import Task, TaskSpace
from .teacher import EpisodeResult, Proposal, Seed, Teacher

OUTCOME_FIELDS = frozenset({"success"})
"""What an outcome can tell a teacher beyond return and length."""


@dataclass(frozen=True)
class Assignment:
    """What a slot plays now.

    Attributes:
        proposal: The teacher's proposal.
        seed: Seed of this episode. Task, seed and actions together replay it exactly.
    """

    proposal: Proposal
    seed: int

    @property
    def task(self) -> Task:
        """The task to play, float32 of shape (d,)."""
        return self.proposal.task


@dataclass(frozen=True)
class Outcome:
    """How a slot's episode ended.

    Attributes:
        episode_return: Sum of raw rewards.
        length: Steps of the episode.
        step: Steps that all slots together had played when the episode ended.
        success: Whether the world called it a success; None if the world does not say.
    """

    episode_return: float
    length: int
    step: int
    success: bool | None = None


@dataclass(frozen=True)
class Episode:
    """One row of the episode log: an assignment with its outcome, numbered in order of finishing."""

    index: int
    slot: int
    assignment: Assignment
    outcome: Outcome


class Curriculum:
    """Hands the teacher's tasks to slots, and credits every result to the task that was played.

    Args:
        teacher: Who chooses.
        space: The tasks to choose from.
        seed: Seeds the stream that episode seeds are drawn from.
        return_range: Lowest and highest episode return of the world; teachers that ask for scaled
            returns get them clipped to this range and mapped to [0, 1]. None leaves returns as they are.
        mastered_return: Return above which the world calls a task mastered, for teachers that ask for it.

    Raises:
        ValueError: If the teacher's space is another one, the range is not increasing, or the teacher needs
            to be told what no outcome holds.

    Attributes:
        episodes: How many episodes have finished.
        listeners: Called with each finished episode, before the teacher is asked for the next task.
    """

    def __init__(
        self,
        teacher: Teacher,
        space: TaskSpace,
        seed: Seed = None,
        return_range: tuple[float, float] | None = None,
        mastered_return: float | None = None,
    ) -> None:
        if teacher.space.columns != space.columns:
            raise ValueError(
                f"the teacher proposes {teacher.space.columns}, the curriculum is over {space.columns}"
            )
        if return_range is not None and not return_range[0] < return_range[1]:
            raise ValueError(f"return_range={return_range} must be increasing")
        unknown = teacher.needs - OUTCOME_FIELDS
        if unknown:
            raise ValueError(
                f"{type(teacher).__name__} needs {sorted(unknown)}; outcomes hold {sorted(OUTCOME_FIELDS)}"
            )
        self.teacher = teacher
        self.space = space
        self.return_range = return_range
        self.mastered_return = mastered_return
        self.episodes = 0
        self.listeners: list[Callable[[Episode], None]] = []
        self._rng = np.random.default_rng(seed)
        self._playing: dict[int, Assignment] = {}

    def next_task(self, slot: int) -> Assignment:
        """Decide what a slot plays next. An episode it had not finished is forgotten."""
        assignment = Assignment(self.teacher.sample(), int(self._rng.integers(2**31)))
        self._playing[slot] = assignment
        return assignment

    def playing(self, slot: int) -> Assignment:
        """What a slot plays now.

        Raises:
            KeyError: If the slot has no episode under way.
        """
        return self._playing[slot]

    def finish(self, slot: int, outcome: Outcome) -> Episode:
        """Credit the end of a slot's episode to the task it played, and tell the teacher.

        Raises:
            KeyError: If the slot has no episode under way.
            ValueError: If the teacher needs to know of success and the world does not say.
        """
        assignment = self._playing.pop(slot)
        if "success" in self.teacher.needs and outcome.success is None:
            raise ValueError(
                f"{type(self.teacher).__name__} needs to know of success, but the world does not report "
                "is_success"
            )
        episode = Episode(self.episodes, slot, assignment, outcome)
        self.episodes += 1
        for listener in self.listeners:
            listener(episode)
        self.teacher.observe(
            EpisodeResult(
                assignment.proposal,
                self._as_wanted(outcome.episode_return),
                outcome.length,
                outcome.success,
                self.mastered_return,
            )
        )
        return episode

    def _as_wanted(self, episode_return: float) -> float:
        if not self.teacher.scales_returns or self.return_range is None:
            return episode_return
        low, high = self.return_range
        return min(max((episode_return - low) / (high - low), 0.0), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here, episodes under way included."""
        return {
            "teacher": self.teacher.state_dict(),
            "rng": self._rng.bit_generator.state,
            "episodes": self.episodes,
            "playing": [
                {"slot": slot, "seed": assignment.seed, "proposal": asdict(assignment.proposal)}
                for slot, assignment in self._playing.items()
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is another teacher's or another task space's.
        """
        self.teacher.load_state_dict(state["teacher"])
        self._rng.bit_generator.state = state["rng"]
        self.episodes = state["episodes"]
        self._playing = {
            row["slot"]: Assignment(Proposal(**row["proposal"]), row["seed"]) for row in state["playing"]
        }

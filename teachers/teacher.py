"""The base class of all teachers: a distribution over tasks that changes with the results it observes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from ..envs.task_space import TaskSpace
from .critic_scores import CriticScores
from .episode import Episode
from .focus import Focus
from .proposal import Proposal, Proposals
from .threshold import Threshold

Seed = int | np.random.SeedSequence | np.random.Generator | None
"""Anything `numpy.random.default_rng` takes; only None means "no seed"."""


NEEDS: Mapping[str, str] = {
    "success": "an env that reports is_success",
    "critic": "a student with a critic (any algorithm of Stable-Baselines3 but ARS and OverlappedSAC)",
    "no_gradient": "a student that can play episodes without learning from them (FastPPO: student=ppo)",
}
"""Possible members of `Teacher.needs`, and what each requires."""


class Teacher(ABC):
    """Proposes tasks and learns from the episodes played on them.

    Within a run, a `Curriculum` asks for tasks and reports the episodes. A custom loop needs neither
    curriculum nor env: `sample` proposes tasks, `tell` reports their results. Episodes may end in a different
    order than they were proposed, and any number may be in progress at once.

    A subclass implements `_propose` and `observe`, saves and restores what it has learned in `_state` and
    `_load_state`, and draws random numbers from `self.rng` only. A teacher accesses no file, logger, plot or
    env.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.

    Attributes:
        space: The tasks to choose from.
        rng: The only random generator that a teacher may use.
        needs: What the teacher needs beyond an episode's return and length, as keys of `NEEDS`:
            `Episode.success`, `Episode.critic`, or a student that respects `Proposal.trains` ("no_gradient").
        scales_returns: Whether `Episode.score` is the return scaled to [0, 1] by the env's return range
            instead of the raw return.
    """

    needs: frozenset[str] = frozenset()
    scales_returns: bool = False
    _threshold: Threshold | None = None
    """Lowest score that a subclass counts as a success, if it counts successes."""

    def __init__(self, space: TaskSpace, seed: Seed = None) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)

    @overload
    def sample(self) -> Proposal: ...
    @overload
    def sample(self, n: int) -> Proposals: ...
    def sample(self, n: int | None = None) -> Proposal | Proposals:
        """Propose the next task, or the next `n` at once, which is faster than `n` calls.

        Raises:
            ValueError: If `n` is below 1.
        """
        if n is None:
            return self._propose(1)[0]
        if n < 1:
            raise ValueError(f"n={n} must be at least 1")
        return self._propose(n)

    @abstractmethod
    def _propose(self, n: int) -> Proposals:
        """Propose the next `n` tasks, `n` being at least 1, in arrays that the teacher does not keep."""

    def check_threshold(self, mastered_score: float | None) -> None:
        """Check that a teacher that counts successes by a threshold has one.

        Args:
            mastered_score: The env's mastered return, on the scale of `Episode.score`.

        Raises:
            ValueError: If the teacher has to take its threshold from the env, and the env has no usable one.
        """
        if self._threshold is not None:
            self._threshold.known(mastered_score)

    @abstractmethod
    def observe(self, episode: Episode) -> None:
        """Learn from a finished episode; `episode.score` is the return to learn from."""

    def tell(
        self,
        proposal: Proposal,
        score: float,
        *,
        success: bool | None = None,
        length: int = 1,
        mastered_score: float | None = None,
        critic: CriticScores | None = None,
    ) -> None:
        """Learn from the result of a proposed task: `observe` for loops without a `Curriculum`.

        Args:
            proposal: As returned by `sample`; proposals may be reported in any order, or never.
            score: The episode's return, scaled to [0, 1] if the teacher expects that (`scales_returns`).
            success: Whether the task was solved, if the teacher needs it.
            length: Number of steps of the episode.
            mastered_score: The score from which a task counts as mastered, for teachers that were given no
                threshold.
            critic: Scores of the episode by the student's critic, if the teacher needs them.

        Raises:
            ValueError: If the score is not finite, or the teacher needs something that is missing.
        """
        if not math.isfinite(score):
            raise ValueError(f"score={score} must be finite")
        if success is None and "success" in self.needs:
            raise ValueError(f"{type(self).__name__} needs success=True or success=False")
        if critic is None and "critic" in self.needs:
            raise ValueError(f"{type(self).__name__} needs critic=CriticScores(…)")
        task = self.space.rounded(proposal.task)
        seed = 0 if proposal.seed is None else proposal.seed
        episode = Episode(0, task, proposal.source, proposal.ticket, seed, proposal=proposal.task)
        episode.trains, episode.critic = proposal.trains, critic
        episode.length, episode.success = length, success
        episode.episode_return = episode.score = score
        episode.mastered_score = mastered_score
        self.observe(episode)

    def require_student(self, student: str, offers: frozenset[str], n_envs: int) -> None:
        """Check that a student offers what this teacher needs.

        Args:
            student: Name of the student.
            offers: What it offers, as keys of `NEEDS`; "success" depends on the env instead.
            n_envs: Number of episodes it plays at once.

        Raises:
            ValueError: If something is missing, or the teacher does not support so many episodes at once.
        """
        for need in sorted(self.needs - offers - {"success"}):
            raise ValueError(f"{type(self).__name__} needs {NEEDS[need]}, which {student} is not")

    def metrics(self) -> dict[str, float]:
        """Scalars to log, by name."""
        return {}

    def focus(self) -> list[Focus]:
        """The boxes or Gaussians that tasks are currently drawn from, besides the whole space."""
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
            ValueError: If the state belongs to another teacher or task space.
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

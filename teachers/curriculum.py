"""The curriculum: passes tasks from a teacher to the slots of a vector env, and results back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..envs.env_info import EnvInfo
from ..envs.finite import NotFiniteError
from ..envs.task_space import TaskSpace
from .critic_scores import CriticScores
from .episode import Episode
from .proposal import Proposal
from .teacher import NEEDS, Seed, Teacher

_BEGUN = ("slot", "task", "proposal", "source", "ticket", "seed", "trains")
"""Attributes of an episode that are set when it begins."""
_ENDED = ("index", "step", "episode_return", "length", "success", "score", "mastered_score")
"""Attributes of an episode that are set when it ends."""


class Curriculum:
    """Asks a teacher for tasks, and matches each result with the proposal that it belongs to.

    The task that is played is the proposal with integers rounded (`TaskSpace.rounded`).

    Args:
        teacher: Chooses the tasks.
        info: Task space, return range and mastered return of the env, as `env_info(env)` reads them.
            Without a return range, teachers that ask for scaled returns get raw ones.
        seed: Seeds the generator of episode seeds.

    Raises:
        ValueError: If the teacher's task space is not the env's, or the teacher needs something unknown.

    Attributes:
        teacher: As given.
        info: As given.
        episodes: Number of finished episodes.
        listeners: Called with each finished episode, before the teacher observes it.
    """

    def __init__(self, teacher: Teacher, info: EnvInfo, seed: Seed = None) -> None:
        if teacher.space.columns != info.task_space.columns:
            raise ValueError(
                f"the teacher proposes {teacher.space.columns}, the curriculum is over "
                f"{info.task_space.columns}"
            )
        unknown = teacher.needs - NEEDS.keys()
        if unknown:
            raise ValueError(
                f"needs={sorted(unknown)} of {type(teacher).__name__} must be among {sorted(NEEDS)}"
            )
        self.teacher = teacher
        self.info = info
        self.episodes = 0
        self.listeners: list[Callable[[Episode], None]] = []
        self._rng = np.random.default_rng(seed)
        self._playing: dict[int, Episode] = {}
        self._unrated: list[Episode] = []
        teacher.check_threshold(self._mastered_score())

    @property
    def space(self) -> TaskSpace:
        """The task space of the env."""
        return self.info.task_space

    def next_task(self, slot: int) -> Episode:
        """Start a slot's next episode. An unfinished episode of the slot is dropped.

        Returns:
            The new episode; reset the slot's env with its `task` and `seed`.

        Raises:
            NotFiniteError: If the teacher proposes a task that is not finite.
        """
        return self._start(slot, self.teacher.sample())

    def next_tasks(self, slots: Sequence[int]) -> list[Episode]:
        """Start the next episodes of one or more slots, with a single call to the teacher.

        For many slots, this is several times faster than calling `next_task` for each. The tasks differ,
        since `Teacher.sample(n)` draws other tasks than n calls of `Teacher.sample()`.

        Raises:
            NotFiniteError: If the teacher proposes a task that is not finite.
        """
        return [self._start(*pair) for pair in zip(slots, self.teacher.sample(len(slots)), strict=True)]

    def _start(self, slot: int, proposal: Proposal) -> Episode:
        if not (math.isfinite(proposal.task.sum()) or np.isfinite(proposal.task).all()):
            lost = dict(zip(self.space.columns, np.asarray(proposal.task).tolist(), strict=True))
            raise NotFiniteError(
                f"task {lost} that {type(self.teacher).__name__} proposed after {self.episodes} episodes "
                "is not finite"
            )
        seed = int(self._rng.integers(2**31)) if proposal.seed is None else proposal.seed
        task = self.space.rounded(proposal.task)
        episode = Episode(slot, task, proposal.source, proposal.ticket, seed, proposal=proposal.task)
        episode.trains = proposal.trains
        self._playing[slot] = episode
        return episode

    def is_playing(self, slot: int) -> bool:
        """Whether the slot has a current episode."""
        return slot in self._playing

    def playing(self, slot: int) -> Episode:
        """The slot's current episode.

        Raises:
            KeyError: If the slot has no current episode.
        """
        return self._playing[slot]

    def finish(
        self, slot: int, *, episode_return: float, length: int, step: int, success: bool | None = None
    ) -> Episode:
        """End a slot's episode, and report it to the listeners and then to the teacher.

        A teacher that needs the student's critic gets the episode from `rate`, which may be called any time
        later.

        Args:
            slot: Index of the env in the vector env.
            episode_return: Sum of the env's rewards.
            length: Number of steps.
            step: Total number of steps of all slots so far.
            success: Whether the env reports a success; None if the env does not report it.

        Returns:
            The finished episode.

        Raises:
            KeyError: If the slot has no current episode.
            ValueError: If the teacher needs `success` and the env does not report it.
            NotFiniteError: If the return is not finite.
        """
        episode = self._playing.pop(slot)
        if not math.isfinite(episode_return):
            raise NotFiniteError(
                f"return {episode_return} is not finite, of an episode of {length} steps in task "
                f"({self.space.shown(episode.task)}) with seed {episode.seed}"
            )
        if success is None and "success" in self.teacher.needs:
            raise ValueError(
                f"{type(self.teacher).__name__} needs success, but the env does not report is_success"
            )
        episode.index = self.episodes
        episode.step = step
        episode.episode_return = episode_return
        episode.length = length
        episode.success = success
        episode.score = self._score(episode_return)
        episode.mastered_score = self._mastered_score()
        self.episodes += 1
        for listener in self.listeners:
            listener(episode)
        if "critic" in self.teacher.needs:
            self._unrated.append(episode)
        else:
            self.teacher.observe(episode)
        return episode

    def rate(self, slot: int, critic: CriticScores) -> Episode:
        """Report a slot's oldest finished but unrated episode to the teacher, with the critic's scores.

        Args:
            slot: Index of the env in the vector env.
            critic: Scores of the episode by the student's critic.

        Raises:
            KeyError: If the slot has no unrated episode.
        """
        for place, episode in enumerate(self._unrated):
            if episode.slot == slot:
                del self._unrated[place]
                episode.critic = critic
                self.teacher.observe(episode)
                return episode
        raise KeyError(slot)

    def _mastered_score(self) -> float | None:
        mastered = self.info.mastered_return
        return None if mastered is None else self._score(mastered)

    def _score(self, episode_return: float) -> float:
        if not self.teacher.scales_returns or self.info.return_range is None:
            return episode_return
        low, high = self.info.return_range
        return min(max((episode_return - low) / (high - low), 0.0), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here, current and unrated episodes included."""
        return {
            "teacher": self.teacher.state_dict(),
            "rng": self._rng.bit_generator.state,
            "episodes": self.episodes,
            "playing": [_stored(episode, _BEGUN) for episode in self._playing.values()],
            "unrated": [_stored(episode, _BEGUN + _ENDED) for episode in self._unrated],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned.

        Raises:
            ValueError: If the state belongs to another teacher or task space.
        """
        self.teacher.load_state_dict(state["teacher"])
        self._rng.bit_generator.state = state["rng"]
        self.episodes = state["episodes"]
        self._playing = {row["slot"]: Episode(**row) for row in state["playing"]}
        self._unrated = [Episode(**row) for row in state.get("unrated", [])]


def _stored(episode: Episode, names: Sequence[str]) -> dict[str, Any]:
    return {name: deepcopy(getattr(episode, name)) for name in names}

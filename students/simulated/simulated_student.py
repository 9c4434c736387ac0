"""The base class of simulated students, which learn by a rule instead of training in an env."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.env_info import EnvInfo
from ...envs.task_space import Task, TaskSpace
from ...teachers.curriculum import Curriculum
from ...teachers.episode import Episode

OFFERS = frozenset({"success"})
"""Members of `teachers.teacher.NEEDS` that simulated students provide to teachers."""


class SimulatedStudent(ABC):
    """Plays tasks of its own task space without an env. One episode counts as one step.

    Attributes:
        task_space: The tasks it can play.
        return_range: Lowest and highest episode return, for teachers that want returns in [0, 1].
        mastered_return: A task is mastered when its return is above this.
    """

    task_space: TaskSpace
    return_range: tuple[float, float]
    mastered_return: float

    @property
    def info(self) -> EnvInfo:
        """Task space, return range and mastered return, for a `Curriculum`."""
        return EnvInfo(self.task_space, self.return_range, self.mastered_return)

    @abstractmethod
    def play(self, task: Task) -> float:
        """Play an episode on a task, shape (d,), learn from it, and return its return."""

    @property
    @abstractmethod
    def mastered_percent(self) -> float:
        """Percentage of all tasks that are mastered."""

    @property
    @abstractmethod
    def return_mean(self) -> float:
        """Mean return that episodes on all tasks would have now."""

    @property
    @abstractmethod
    def competence_map(self) -> NDArray[np.float64]:
        """Competence in [0, 1], on a grid with one axis per parameter that matters."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly from here: nested dicts of JSON values and arrays."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""

    def learn(
        self,
        curriculum: Curriculum,
        episodes: int,
        on_episode: Callable[[Episode], None] | None = None,
        n_envs: int = 1,
    ) -> None:
        """Play the tasks of a curriculum.

        Args:
            curriculum: Over this student's `task_space`.
            episodes: Learn until the curriculum has had this many episodes in total.
            on_episode: Called after each episode.
            n_envs: Episodes in progress at once, as in a vector env: each is proposed `n_envs - 1` results
                before its own. They end in the order in which they began.

        Raises:
            ValueError: If the teacher needs something that simulated students do not have.
        """
        curriculum.teacher.require_student(type(self).__name__, OFFERS, n_envs)
        while curriculum.episodes < episodes:
            slot = curriculum.episodes % n_envs
            for idle in (*range(slot, n_envs), *range(slot)):
                if not curriculum.is_playing(idle):
                    curriculum.next_task(idle)
            episode_return = self.play(curriculum.playing(slot).task)
            episode = curriculum.finish(
                slot,
                episode_return=episode_return,
                length=1,
                step=curriculum.episodes + 1,
                success=episode_return > self.mastered_return,
            )
            if on_episode is not None:
                on_episode(episode)

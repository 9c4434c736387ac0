"""Task spaces for testing teachers, and ways to run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from chiron.envs.task_space import Task, TaskParameter, TaskSpace
from chiron.teachers import CriticScores, Episode, Proposal, Teacher
from numpy.typing import NDArray

Return = Callable[[Task], float]


def cube(dim: int, low: float = 0.0, high: float = 1.0) -> TaskSpace:
    """A space with `dim` parameters of equal range."""
    return TaskSpace([TaskParameter(f"x{i}", low, high) for i in range(dim)])


def played(proposal: Proposal, episode_return: float, mastered_score: float | None = 0.75) -> Episode:
    """The finished episode of a proposal; its score is the unscaled return."""
    return Episode(
        slot=0,
        task=proposal.task,
        source=proposal.source,
        ticket=proposal.ticket,
        seed=proposal.seed or 0,
        length=1,
        episode_return=episode_return,
        score=episode_return,
        mastered_score=mastered_score,
        trains=proposal.trains,
        critic=judged(episode_return),
    )


def judged(episode_return: float) -> CriticScores:
    """Plausible critic scores of an episode."""
    return CriticScores(abs(episode_return) / 2, abs(episode_return), episode_return / 3, episode_return)


def result(task: Any, episode_return: float) -> Episode:
    """A finished episode on a task that no teacher proposed."""
    return played(Proposal(np.asarray(task, dtype=np.float32), "test"), episode_return)


def bumpy(task: Task) -> float:
    """A return in [0, 1] that varies all over a task space."""
    return float(0.5 + 0.5 * np.sin(5 * task.astype(np.float64)).mean())


def run(teacher: Teacher, episodes: int, returns: Return = bumpy) -> NDArray[np.float32]:
    """Play some episodes and return the proposed tasks, shape (episodes, d)."""
    tasks = np.empty((episodes, teacher.space.dim), dtype=np.float32)
    for i in range(episodes):
        proposal = teacher.sample()
        tasks[i] = proposal.task
        teacher.observe(played(proposal, returns(proposal.task)))
    return tasks


class ChangingStudent:
    """Learns only in a corner of a task space: there its return rises to 1 and starts again at 0.

    Args:
        corner: The corner is where every number of a task in [0, 1]^d is below this value.
        episodes: Episodes in the corner until it starts again.
    """

    def __init__(self, corner: float = 0.3, episodes: int = 400) -> None:
        self.corner = corner
        self.episodes = episodes
        self.played = 0

    def __call__(self, task: Task) -> float:
        if not self.contains(task):
            return 0.5
        self.played += 1
        return self.played % self.episodes / self.episodes

    def contains(self, task: Task) -> bool:
        """Whether a task lies in the corner."""
        return bool((task < self.corner).all())

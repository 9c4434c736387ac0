"""An episode of a curriculum: which task was played, and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..envs.task_space import Task
from .critic_scores import CriticScores


@dataclass(slots=True, eq=False)
class Episode:
    """One training episode.

    `Curriculum.next_task` sets the first five attributes, the proposal and `trains` when a slot starts the
    episode; `Curriculum.finish` sets the others when it ends, except `critic`, which `Curriculum.rate` sets.
    Together, task, seed and the student's actions determine the whole episode.

    Attributes:
        slot: Index of the env in the vector env.
        task: The task that is played, float32 of shape (d,): what the logs hold.
        source: How the teacher chose the task ("random", "gaussian_3", …).
        ticket: What the teacher stored in its proposal.
        seed: Seed of the env's reset.
        index: Number of episodes that ended before this one.
        step: Total number of steps of all slots when the episode ended.
        episode_return: Sum of the env's rewards.
        length: Number of steps.
        success: Whether the env reports a success; None if the env does not report it.
        score: The return a teacher learns from: clipped to the env's return range and scaled to [0, 1] if
            the teacher asks for that (`Teacher.scales_returns`) and the env declares a range, otherwise
            equal to `episode_return`.
        mastered_score: The env's `mastered_return`, clipped and scaled like the score: an episode with a
            `score` above this masters its task. None if the env declares none.
        proposal: The point of the task space's box that the teacher proposed and learns about; differs from
            the task in integers, which are rounded in the task. Defaults to the task.
        trains: Whether the student learns from the episode.
        critic: Scores by the student's critic; None unless the teacher needs them.
    """

    slot: int
    task: Task
    source: str
    ticket: Mapping[str, Any]
    seed: int
    index: int = -1
    step: int = -1
    episode_return: float = math.nan
    length: int = -1
    success: bool | None = None
    score: float = math.nan
    mastered_score: float | None = None
    proposal: Task = None  # type: ignore[assignment]  # set below
    trains: bool = True
    critic: CriticScores | None = None

    def __post_init__(self) -> None:
        if self.proposal is None:
            self.proposal = self.task

"""Random: tasks are uniform over the task space."""

from __future__ import annotations

from .episode import Episode
from .teacher import Proposal, Teacher


class Random(Teacher):
    """Uniform over the task space; the Random baseline of Portelas et al. (2019)."""

    def sample(self) -> Proposal:
        return Proposal(self.space.sample(self.rng), "random")

    def observe(self, episode: Episode) -> None:
        pass

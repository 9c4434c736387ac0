"""Random: tasks are uniform over the task space."""

from __future__ import annotations

from .episode import Episode
from .proposal import Proposals
from .teacher import Teacher


class Random(Teacher):
    """Uniform over the task space; the Random baseline of Portelas et al. (2019)."""

    def _propose(self, n: int) -> Proposals:
        return Proposals(self.space.sample(self.rng, n), "random")

    def observe(self, episode: Episode) -> None:
        pass

"""Teachers and envs that record how an adapter uses them."""

from __future__ import annotations

from typing import Any

import numpy as np
from chiron.envs.task_space import TaskSpace
from chiron.teachers import Episode, Proposals, Random, Teacher

from tests.countdown_env import CountdownEnv


class Diary(Random):
    """Proposes at random, and records the order of its calls."""

    def __init__(self, space: TaskSpace, seed: int) -> None:
        super().__init__(space, seed)
        self.events: list[str] = []
        self.results: list[Episode] = []

    def _propose(self, n: int) -> Proposals:
        self.events.append("sample")
        return super()._propose(n)

    def observe(self, episode: Episode) -> None:
        self.events.append("observe")
        self.results.append(episode)


class Always(Teacher):
    """Always proposes the default task."""

    def _propose(self, n: int) -> Proposals:
        return Proposals(np.tile(self.space.default, (n, 1)), "default")

    def observe(self, episode: Episode) -> None:
        pass


class Quiet(CountdownEnv):
    """Without randomness, so that seeds do not matter."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        self._observation[2] = 0
        return self._observation, {}

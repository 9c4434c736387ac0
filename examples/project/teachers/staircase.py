"""Staircase: a box of tasks that grows whenever enough of the latest episodes in it succeeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from chiron.envs.task_space import TaskSpace
from chiron.teachers import Episode, Proposals, Teacher


class Staircase(Teacher):
    """Samples uniformly from a box that starts at the lowest task and grows after enough successes.

    Args:
        space: The task space.
        seed: Seeds the teacher's own generator.
        step: Share of the space by which each side of the box grows, in (0, 1].
        window: Number of latest episodes that are counted, at least 1.
        threshold: Share of successes at which the box grows, in (0, 1].

    Raises:
        ValueError: If an argument is out of range.
    """

    needs = frozenset({"success"})

    def __init__(
        self,
        space: TaskSpace,
        seed: Any = None,
        step: float = 0.1,
        window: int = 20,
        threshold: float = 0.8,
    ) -> None:
        super().__init__(space, seed)
        for name, value in (("step", step), ("threshold", threshold)):
            if not 0 < value <= 1:
                raise ValueError(f"{name}={value} must be above 0 and at most 1")
        if window < 1:
            raise ValueError(f"window={window} must be at least 1")
        self.step, self.threshold = step, threshold
        self.side = step
        self._last: deque[bool] = deque(maxlen=window)

    def _propose(self, n: int) -> Proposals:
        return Proposals(self.space.denormalize(self.side * self.rng.random((n, self.space.dim))), "box")

    def observe(self, episode: Episode) -> None:
        self._last.append(bool(episode.success))
        if len(self._last) == self._last.maxlen and sum(self._last) >= self.threshold * len(self._last):
            self.side = min(self.side + self.step, 1.0)
            self._last.clear()

    def metrics(self) -> dict[str, float]:
        return {"side": self.side}

    def _state(self) -> dict[str, Any]:
        return {"side": self.side, "last": list(self._last)}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.side = state["side"]
        self._last.clear()
        self._last.extend(state["last"])

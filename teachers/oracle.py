"""Oracle: a window moves from easy tasks to hard ones, by expert knowledge of which tasks are hard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskParameter, TaskSpace
from .episode import Episode
from .focus import Focus, FocusBox
from .proposal import Proposals
from .teacher import Seed, Teacher
from .threshold import Threshold

Steps = Mapping[str, float | Sequence[float]]

_STEPS_PER_RANGE = 30
"""Default number of steps over the whole range of a parameter."""


class Oracle(Teacher):
    """The hand-made curriculum that Portelas et al. (CoRL 2019) compare against.

    Tasks are uniform in a window that starts at the easy end of every parameter. Whenever the mean return
    of `episodes_per_step` episodes is above the threshold, the window moves by one step towards the hard
    end, where it stops. The defaults are the paper's.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        steps: How far the window moves in one step, for each parameter in its unit: one number, or one per
            element of a group. A positive step starts at the lowest value, a negative step at the highest.
            Parameters that are not named (all if None) move by a thirtieth of their range, away from the
            end that the task space declares easy; for Stump Tracks these are the paper's +0.1 and -0.2.
        window_ratio: Side of the window as a share of each range.
        episodes_per_step: Episodes between decisions whether to move.
        threshold: Mean raw return above which the window moves; None uses the env's mastered return (230
            for the walkers, as in the paper).

    Raises:
        ValueError: If an argument is out of range, or a step's parameter is unknown.

    Attributes:
        position: Lowest corner of the window, shape (d,).
        window: Sides of the window, shape (d,).
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        steps: Steps | None = None,
        window_ratio: float = 1 / 6,
        episodes_per_step: int = 50,
        threshold: float | None = None,
    ) -> None:
        super().__init__(space, seed)
        if not 0 < window_ratio <= 1:
            raise ValueError(f"window_ratio={window_ratio} must be above 0 and at most 1")
        if episodes_per_step < 1:
            raise ValueError(f"episodes_per_step={episodes_per_step} must be at least 1")
        unknown = set(steps or {}) - set(space.names)
        if unknown:
            raise ValueError(f"steps={sorted(unknown)} must be parameters of the task space: {space.names}")
        self.episodes_per_step = episodes_per_step
        self._threshold: Threshold = Threshold(threshold)
        self.steps = np.concatenate([_steps_of(p, (steps or {}).get(p.name)) for p in space.parameters])
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        self.window = window_ratio * (high - low)
        self.position = np.where(self.steps > 0, low, high - self.window)
        self._farthest = np.where(self.steps > 0, high - self.window, low)
        self._returns: list[float] = []

    def _propose(self, n: int) -> Proposals:
        tasks = self.position + self.rng.random((n, self.space.dim)) * self.window
        return Proposals(self.space.clip(tasks), "window")

    def observe(self, episode: Episode) -> None:
        threshold = self._threshold.of(episode)
        self._returns.append(episode.score)
        if len(self._returns) < self.episodes_per_step:
            return
        if np.mean(self._returns) > threshold:
            moved = self.position + self.steps
            is_past = np.where(self.steps > 0, moved > self._farthest, moved < self._farthest)
            self.position = np.where(is_past, self._farthest, moved)
        self._returns.clear()

    def metrics(self) -> dict[str, float]:
        corners = zip(self.space.columns, self.position, strict=True)
        return {f"window_{column}": float(corner) for column, corner in corners}

    def focus(self) -> list[Focus]:
        return [FocusBox(1.0, self.position, self.position + self.window)]

    def _state(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "returns": np.array(self._returns),
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.position = state["position"].copy()
        self._returns = state["returns"].tolist()
        self._threshold.load_state_dict(state["threshold"])


def _steps_of(parameter: TaskParameter, given: float | Sequence[float] | None) -> NDArray[np.float64]:
    if given is None:
        step = (parameter.box_high.astype(np.float64) - parameter.box_low) / _STEPS_PER_RANGE
        return step if parameter.easy == "low" else -step
    steps = np.asarray(given, dtype=np.float64)
    if steps.shape not in ((), (parameter.size,)) or not (np.isfinite(steps) & (steps != 0)).all():
        raise ValueError(
            f"steps.{parameter.name}={given} must be one number or {parameter.size}, finite and not 0"
        )
    return np.broadcast_to(steps, (parameter.size,))

"""ADR: a box of tasks that grows where the student succeeds at its boundary."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusBox
from .proposal import Proposals
from .task_distribution import Description, task_distribution, uniform_over
from .teacher import Seed, Teacher
from .threshold import Threshold

_INSIDE = -1
"""The boundary index of tasks that are on no boundary."""


class ADR(Teacher):
    """Automatic domain randomization (OpenAI et al., *Solving Rubik's cube with a robot hand*, 2019).

    Tasks are uniform in a box. With probability `boundary_probability`, a task is moved onto one of the 2d
    boundaries of the box, chosen at random, and its score is added to the queue of that boundary. A full
    queue is emptied: if its mean is at least `high_threshold`, the boundary moves outwards by one step; if it
    is at most `low_threshold`, the boundary moves inwards, but not past the opposite one.

    A proposal's ticket stores the boundary and its position. Results of tasks on a boundary that has moved
    since are ignored.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: The first box, in task units: for each parameter a number or [low, high]. Parameters that are
            not named start at their default; all of them, if None.
        boundary_probability: Share of tasks on a boundary, in (0, 1].
        queue_length: Number of scores averaged to decide whether a boundary moves.
        step: How far a boundary moves, as a share of the parameter's range, in (0, 1].
        high_threshold: Lowest mean score that moves a boundary outwards; None uses the env's mastered return.
        low_threshold: Highest mean score that moves a boundary inwards; None uses half of the high threshold,
            as in the paper.
        scales_returns: Whether thresholds and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        low: Lowest corner of the box, shape (d,).
        high: Highest corner of the box, shape (d,).
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        boundary_probability: float = 0.5,
        queue_length: int = 240,
        step: float = 0.02,
        high_threshold: float | None = None,
        low_threshold: float | None = None,
        scales_returns: bool = True,
    ) -> None:
        super().__init__(space, seed)
        for name, share in (("boundary_probability", boundary_probability), ("step", step)):
            if not 0 < share <= 1:
                raise ValueError(f"{name}={share} must be above 0 and at most 1")
        if queue_length < 1:
            raise ValueError(f"queue_length={queue_length} must be at least 1")
        if high_threshold is not None:
            _require_order(low_threshold, high_threshold)
        self.boundary_probability = boundary_probability
        self.queue_length = queue_length
        self.steps = step * (space.high.astype(np.float64) - space.low)
        self.scales_returns = scales_returns
        start = uniform_over(space.default, space.default, space)
        box = task_distribution(initial, start, "initial", ["uniform"])
        self.low, self.high = box.low[0], box.high[0]
        self._low_threshold = low_threshold
        self._threshold: Threshold = Threshold(high_threshold, "high_threshold")
        self._queues: list[deque[float]] = [deque() for _ in range(2 * space.dim)]

    def _propose(self, n: int) -> Proposals:
        dim = self.space.dim
        is_on_one = self.rng.random(n) < self.boundary_probability
        boundaries = np.where(is_on_one, self.rng.integers(2 * dim, size=n), _INSIDE)
        tasks = self.low + self.rng.random((n, dim)) * (self.high - self.low)
        places = np.concatenate([self.low, self.high])
        rows = np.flatnonzero(is_on_one)
        tasks[rows, boundaries[rows] % dim] = places[boundaries[rows]]
        tickets = {"boundary": boundaries, "place": np.where(is_on_one, places[boundaries], 0.0)}
        sources = np.where(is_on_one, "boundary", "box")
        return Proposals(self.space.clip(tasks), sources, tickets)

    def check_threshold(self, mastered_score: float | None) -> None:
        _require_order(self._low_threshold, self._threshold.known(mastered_score))

    def observe(self, episode: Episode) -> None:
        high = self._threshold.of(episode)
        low = _require_order(self._low_threshold, high)
        boundary = episode.ticket.get("boundary", _INSIDE)
        if boundary == _INSIDE or episode.ticket["place"] != self._place(boundary):
            return
        queue = self._queues[boundary]
        queue.append(episode.score)
        if len(queue) < self.queue_length:
            return
        mean = float(np.mean(queue))
        queue.clear()
        if mean >= high:
            self._move(boundary, outwards=True)
        elif mean <= low:
            self._move(boundary, outwards=False)

    def _place(self, boundary: int) -> float:
        side, parameter = divmod(boundary, self.space.dim)
        return float((self.high if side else self.low)[parameter])

    def _move(self, boundary: int, *, outwards: bool) -> None:
        """Move a boundary by one step, within the space and not past the opposite one."""
        side, parameter = divmod(boundary, self.space.dim)
        box, opposite = (self.high, self.low) if side else (self.low, self.high)
        end = (self.space.high if side else self.space.low)[parameter]
        step = self.steps[parameter] if bool(side) == outwards else -self.steps[parameter]
        limits = sorted((float(opposite[parameter]), float(end)))
        box[parameter] = min(max(box[parameter] + step, limits[0]), limits[1])

    def metrics(self) -> dict[str, float]:
        sides = (self.high - self.low) / (self.space.high.astype(np.float64) - self.space.low)
        corners = {"low": self.low, "high": self.high}
        ends = {
            f"{end}_{column}": float(number)
            for end, numbers in corners.items()
            for column, number in zip(self.space.columns, numbers, strict=True)
        }
        return {"side_mean": float(sides.mean()), **ends}

    def focus(self) -> list[Focus]:
        return [FocusBox(1.0, self.low.copy(), self.high.copy())]

    def _state(self) -> dict[str, Any]:
        return {
            "low": self.low.copy(),
            "high": self.high.copy(),
            "queues": [list(queue) for queue in self._queues],
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.low, self.high = state["low"].copy(), state["high"].copy()
        self._queues = [deque(queue) for queue in state["queues"]]
        self._threshold.load_state_dict(state["threshold"])


def _require_order(low: float | None, high: float) -> float:
    """The low threshold, given the high one."""
    threshold = high / 2 if low is None else low
    if not threshold < high:
        half = f", half of which is {threshold:g}" if low is None else ""
        raise ValueError(f"low_threshold={low} must be below high_threshold={high:g}{half}")
    return threshold

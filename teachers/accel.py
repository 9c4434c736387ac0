"""ACCEL: replays levels, and proposes slightly edited copies of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .level_buffer import NONE
from .plr import PLR
from .task_distribution import Description, TaskDistribution, task_distribution, uniform_over
from .teacher import Seed

_EASIEST = 0.1
"""Share of each parameter's range, from its easy end, that new tasks are drawn from by default."""
_MOST_EDITS = 1_000


class ACCEL(PLR):
    """Evolving curricula with regret-based environment design (Parker-Holder et al., ICML 2022).

    Like PLR, except that new levels are simple, and that whenever an episode in a replayed level has been
    scored, an edited copy of the level is proposed next: `edits` times, a randomly chosen parameter moves up,
    down or not at all, with equal probabilities, by `edit_size` of its range, within the task space. The copy
    has a new seed. It is scored and enters the buffer by the rule of PLR.

    The student learns only from replayed levels, which requires FastPPO (`robust`, as in the paper).
    Scores and their requirements are those of PLR.

    The defaults are those of the paper for BipedalWalker. In its code, a step is 4% to 12% of a range, and
    the easiest four of each batch of replayed levels are edited, four times each. Here, episodes end one at
    a time, and each replayed level is edited once.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: Distribution of new tasks, in task units: for each parameter a number, [low, high] or
            {mean: …, std: …}. Parameters that are not named are uniform in the easiest tenth of their
            range.
        edits: Changes per edited copy, 1 to 1,000.
        edit_size: Size of a change, as a share of the parameter's range, in (0, 1].
        robust: Whether the student learns only from replayed levels.
        replay_probability: Share of replayed levels among those that are not edited copies, in [0, 1];
            above 0 if robust.
        score: See PLR.
        buffer_size: See PLR.
        minimum_fill: See PLR.
        temperature: See PLR.
        staleness: See PLR.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        levels: The buffer, with each level's parent and the number of edits of it and its ancestors.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        edits: int = 3,
        edit_size: float = 0.04,
        score: str = "positive_value_loss",
        robust: bool = True,
        replay_probability: float = 0.9,
        buffer_size: int = 1000,
        minimum_fill: float = 0.5,
        temperature: float = 0.1,
        staleness: float = 0.5,
    ) -> None:
        super().__init__(
            space, seed, score, robust, replay_probability, buffer_size, minimum_fill, temperature, staleness
        )
        if not 1 <= edits <= _MOST_EDITS:
            raise ValueError(f"edits={edits} must lie in [1, {_MOST_EDITS}]")
        if not 0 < edit_size <= 1:
            raise ValueError(f"edit_size={edit_size} must be above 0 and at most 1")
        self.edits = edits
        self.edit_size = edit_size
        kinds = ("uniform", "gaussian", "mixture")
        self.initial = task_distribution(initial, _easiest(space), "initial", kinds)
        self._parents: list[tuple[NDArray[np.float32], int, int]] = []
        """Task, number and edits of the levels to be edited next."""

    def _new_tasks(self, n: int) -> NDArray[np.float32]:
        return self.initial.sample(self.rng, n)

    def _edit(
        self, tasks: NDArray[np.float32], sources: NDArray[np.str_], tickets: dict[str, NDArray[np.int64]]
    ) -> int:
        parents, self._parents = self._parents[: len(tasks)], self._parents[len(tasks) :]
        n = len(parents)
        if not n:
            return 0
        places = self.space.normalize([task for task, _, _ in parents])
        changed = self.rng.integers(self.space.dim, size=(self.edits, n))
        steps = self.edit_size * self.rng.integers(-1, 2, size=(self.edits, n))
        for parameter, step in zip(changed, steps, strict=True):
            moved = places[np.arange(n), parameter] + step
            places[np.arange(n), parameter] = moved.clip(0.0, 1.0)
        tasks[:n], sources[:n] = self.space.denormalize(places), "edit"
        tickets["parent"][:n] = [number for _, number, _ in parents]
        tickets["edits"][:n] = [edits + self.edits for _, _, edits in parents]
        return n

    def observe(self, episode: Episode) -> None:
        super().observe(episode)
        number = episode.ticket.get("level", NONE)
        if number != NONE:
            self._parents.append((episode.proposal.copy(), number, episode.ticket["edits"]))

    def metrics(self) -> dict[str, float]:
        levels = self.levels
        edits = levels.probabilities() @ levels.edits[: levels.count] if levels.count else 0.0
        return {**super().metrics(), "replayed_edits": float(edits)}

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "parents": [
                {"task": task.copy(), "number": number, "edits": edits}
                for task, number, edits in self._parents
            ],
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        super()._load_state(state)
        self._parents = [(row["task"].copy(), row["number"], row["edits"]) for row in state["parents"]]


def _easiest(space: TaskSpace) -> TaskDistribution:
    """The uniform distribution over the easiest tenth of each range."""
    is_low = np.concatenate([np.full(p.size, p.easy == "low") for p in space.parameters])
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    width = _EASIEST * (high - low)
    return uniform_over(np.where(is_low, low, high - width), np.where(is_low, low + width, high), space)

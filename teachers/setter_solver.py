"""Setter-Solver: a network sets tasks of a desired feasibility, which another network estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .episode_batch import EpisodeBatch
from .focus import Focus, FocusGaussian
from .proposal import Proposals
from .teacher import Seed, Teacher
from .threshold import Threshold

Floats = NDArray[np.float64]

_LEAST_FEASIBILITY, _MOST_FEASIBILITY = 1e-8, 1 - 1e-6
_MOST_EPISODES, _MOST_UNITS = 10_000, 4_096
_SHOWN = 100
_FOCUS_STD = 0.01


class SetterSolver(Teacher):
    """Setter-Solver (Racanière et al., ICLR 2020; as in TeachMyAgent, Romac et al., ICML 2021).

    A setter, a conditional normalizing flow, draws a task for a desired feasibility f, uniform in (0, 1). A
    judge, a network with two layers of 64 units, estimates the probability that the student solves a task.
    After every `episodes_per_update` episodes, both take one Adam step (learning rate 3e-4) on these
    episodes: the judge on the cross-entropy of their successes, the setter on the sum of

    - feasibility: the mean of (logit J(g) − logit f)² over as many new tasks g, where J is the judge;
    - validity: minus the mean log density of the tasks that were solved, each with noise from
      [0, `noise`]^d, given the f that it was drawn for;
    - coverage: the mean log density of new tasks.

    The flow has three blocks of three couplings, each with two highway networks (`Setter`). The paper's
    fourth loss, desirability, needs a distribution of desired tasks and is omitted, as in TeachMyAgent.

    Known failures: one step of each network per `episodes_per_update` episodes is far too little for short
    runs, in which tasks stay where the flow starts, in the middle of the space. Tasks of a given feasibility
    are found only where the setter already draws. An update takes tens of milliseconds.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        episodes_per_update: Episodes between updates, from 1 to 10,000.
        noise: Largest noise added to solved tasks, as a share of each range, in [0, 1].
        hidden: Units of the setter's hidden layers, from 1 to 4,096.
        threshold: Lowest score that counts as a success; None uses the env's mastered return.
        scales_returns: Whether threshold and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        updates: Number of updates.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        episodes_per_update: int = 100,
        noise: float = 0.05,
        hidden: int = 128,
        threshold: float | None = None,
        scales_returns: bool = False,
    ) -> None:
        super().__init__(space, seed)
        if not 1 <= episodes_per_update <= _MOST_EPISODES:
            raise ValueError(
                f"episodes_per_update={episodes_per_update} must be at least 1 and at most {_MOST_EPISODES}"
            )
        if not 0 <= noise <= 1:
            raise ValueError(f"noise={noise} must lie in [0, 1]")
        if not 1 <= hidden <= _MOST_UNITS:
            raise ValueError(f"hidden={hidden} must be at least 1 and at most {_MOST_UNITS}")
        self.episodes_per_update = episodes_per_update
        self.noise = noise
        self.hidden = hidden
        self.scales_returns = scales_returns
        self._threshold: Threshold = Threshold(threshold)
        # Imported here to start up faster: it imports torch.
        from .setter_networks import SetterNetworks

        self._networks = SetterNetworks(space.dim, hidden, self.rng)
        self._batch = EpisodeBatch(space, episodes_per_update)
        self._wished: list[float] = []
        self._success = 0.0
        self.updates = 0
        # Tasks to propose until the next update, with their feasibility; many cost little more than one.
        self._drawn = np.empty((0, space.dim + 1))

    def _propose(self, n: int) -> Proposals:
        if len(self._drawn) < n:
            count = max(n - len(self._drawn), self.episodes_per_update)
            noise, wished = self._noise(count)
            more = np.column_stack([self._networks.draw(noise, wished), wished])
            self._drawn = np.concatenate([self._drawn, more])
        rows, self._drawn = self._drawn[:n], self._drawn[n:]
        return Proposals(self.space.denormalize(rows[:, :-1]), "setter", {"feasibility": rows[:, -1]})

    def _noise(self, n: int) -> tuple[Floats, Floats]:
        """Inputs of the setter: Gaussian noise, shape (n, d), and feasibilities, shape (n,)."""
        noise = self.rng.standard_normal((n, self.space.dim))
        return noise, self.rng.uniform(_LEAST_FEASIBILITY, _MOST_FEASIBILITY, n)

    def observe(self, episode: Episode) -> None:
        is_success = float(episode.score >= self._threshold.of(episode))
        if "feasibility" not in episode.ticket:
            return
        self._wished.append(episode.ticket["feasibility"])
        full = self._batch.add(episode.proposal, is_success)
        if full is not None:
            self._update(*full)

    def _update(self, tasks: Floats, successes: Floats) -> None:
        added = self.rng.uniform(0.0, self.noise, tasks.shape)
        self._networks.fit(tasks, successes, np.array(self._wished), (added, *self._noise(len(tasks))))
        self._wished.clear()
        self._drawn = self._drawn[:0]
        self._success = float(successes.mean())
        self.updates += 1

    def metrics(self) -> dict[str, float]:
        return {"updates": self.updates, "success": self._success}

    def focus(self) -> list[Focus]:
        """Gaussians around tasks drawn from the setter, without an effect on later proposals."""
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((_SHOWN, self.space.dim))
        tasks = self.space.denormalize(self._networks.draw(noise, rng.random(_SHOWN)))
        width = self.space.high.astype(np.float64) - self.space.low
        covariance = np.diag((_FOCUS_STD * width) ** 2)
        return [FocusGaussian(1 / _SHOWN, task.astype(np.float64), covariance) for task in tasks]

    def _state(self) -> dict[str, Any]:
        return {
            "hidden": self.hidden,
            "networks": self._networks.state_dict(),
            "batch": self._batch.state_dict(),
            "wished": list(self._wished),
            "drawn": self._drawn.copy(),
            "success": self._success,
            "updates": self.updates,
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        if state["hidden"] != self.hidden:
            raise ValueError(f"hidden={self.hidden} must be the stored state's {state['hidden']}")
        self._networks.load_state_dict(state["networks"])
        self._batch.load_state_dict(state["batch"])
        self._wished, self._drawn = list(state["wished"]), state["drawn"].copy()
        self._success, self.updates = state["success"], state["updates"]
        self._threshold.load_state_dict(state["threshold"])

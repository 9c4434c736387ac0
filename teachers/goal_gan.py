"""Goal GAN: a generative network draws tasks of intermediate difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .episode import Episode
from .focus import Focus, FocusGaussian
from .proposal import Proposals
from .task_distribution import Description, task_distribution, uniform_over
from .teacher import Seed, Teacher
from .threshold import Threshold

if TYPE_CHECKING:
    from .goal_generator import GoalGenerator

Floats = NDArray[np.float64]

_REPLAYED = -1
"""The goal of tasks that are not labelled."""
_ITERATIONS, _PRETRAINING = 250, 500
_PER_EPISODE = 25
"""Most training iterations after one episode, so that no episode is delayed for long."""
_PRETRAINING_GOALS = 1000
_MOST_OPEN = 1000
"""Most goals that wait for results; beyond it, the oldest are dropped."""
_MOST_SUCCESSES = 5000
_MOST_ROLLOUTS = 1000
_SHOWN = 100
_FOCUS_STD = 0.01


class GoalGAN(Teacher):
    """Goal GAN (Florensa et al., ICML 2018; as in TeachMyAgent, Romac et al., ICML 2021).

    A generative adversarial network learns to draw tasks of intermediate difficulty. Each task that it draws
    (a goal) gets Gaussian noise and is played `rollouts` times; it is labelled as good if the success rate of
    these episodes is between `lowest_success` and `highest_success`. A goal with a higher success rate enters
    a buffer, unless it contains a nearby one. With probability `replay_ratio`, a task is drawn from that
    buffer instead, with noise, and played once, without a label.

    Whenever `goals_per_fit` goals have been labelled, and at least one of them is good, the networks are
    trained on them: 250 steps of the discriminator and of the generator, in turn, on batches of 64, with the
    least-squares loss (`GoalGenerator`). The work is spread over ten episodes, 25 steps each. Before its
    first training, the generator is trained to draw from the `initial` distribution (1,000 tasks, all good;
    500 steps); until then, tasks come from the initial distribution itself.

    Distances are Euclidean in [0, 1]^d.

    Known failures: with two rollouts, only goals with exactly one success are good; with deterministic
    outcomes there are none, so nothing is ever learned. Good goals are rare, and the generator forgets those
    of earlier fits. Training costs a few milliseconds per episode.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        initial: First distribution, in task units: for each parameter a number, [low, high] or {mean, std};
            a list of these is a mixture. Parameters that are not named are uniform over their range.
        goals_per_fit: Number of labelled goals per training, at least 10.
        rollouts: Episodes per goal, from 1 to 1,000.
        lowest_success: Lowest success rate of a good goal, in [0, 1].
        highest_success: Highest success rate of a good goal, in [0, 1].
        replay_ratio: Share of tasks drawn from the buffer of successes, in [0, 1].
        noise: Standard deviation of the noise added to tasks, as a share of each range, in [0, 1].
        least_distance: Smallest distance between tasks in the buffer, as a share of the diagonal of [0, 1]^d,
            in [0, 1].
        threshold: Lowest score that counts as a success; None uses the env's mastered return.
        scales_returns: Whether threshold and scores are returns scaled to [0, 1] instead of raw returns.

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        successes: The buffer: at most the 5,000 newest, in [0, 1]^d, shape (n, d).
        fits: Number of trainings started.
    """

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        initial: Description = None,
        goals_per_fit: int = 100,
        rollouts: int = 2,
        lowest_success: float = 0.25,
        highest_success: float = 0.75,
        replay_ratio: float = 0.2,
        noise: float = 0.01,
        least_distance: float = 0.01,
        threshold: float | None = None,
        scales_returns: bool = False,
    ) -> None:
        super().__init__(space, seed)
        if goals_per_fit < 10:
            raise ValueError(f"goals_per_fit={goals_per_fit} must be at least 10")
        if not 1 <= rollouts <= _MOST_ROLLOUTS:
            raise ValueError(f"rollouts={rollouts} must be at least 1 and at most {_MOST_ROLLOUTS}")
        if not 0 <= lowest_success <= highest_success <= 1:
            raise ValueError(
                f"lowest_success={lowest_success} must be at least 0 and at most "
                f"highest_success={highest_success}, which must be at most 1"
            )
        if not 0 <= replay_ratio <= 1:
            raise ValueError(f"replay_ratio={replay_ratio} must lie in [0, 1]")
        for name, share in (("noise", noise), ("least_distance", least_distance)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share} must lie in [0, 1]")
        everywhere = uniform_over(space.low, space.high, space)
        self._initial = task_distribution(initial, everywhere, "initial", ["uniform", "gaussian", "mixture"])
        self.goals_per_fit = goals_per_fit
        self.rollouts = rollouts
        self.lowest_success = lowest_success
        self.highest_success = highest_success
        self.replay_ratio = replay_ratio
        self.noise = noise
        self.scales_returns = scales_returns
        self._least_distance = least_distance * float(np.sqrt(space.dim))
        self._threshold: Threshold = Threshold(threshold)
        self._generator: GoalGenerator | None = None
        self._is_trained = False
        self.successes: Floats = np.empty((0, space.dim))
        self.fits = 0
        self._goals = 0
        # The goal that is proposed again, and how many more times.
        self._goal, self._repeats = np.zeros(space.dim), 0
        self._open: dict[int, list[float]] = {}
        self._labelled: list[Floats] = []
        self._labels: list[float] = []
        self._jobs: list[tuple[Floats, Floats, int]] = []

    def _propose(self, n: int) -> Proposals:
        again = min(self._repeats, n)
        # This draws more than needed, since a goal takes several places.
        is_replayed = (self.rng.random(n - again) < self.replay_ratio) & (len(self.successes) > 0)
        counts = np.where(is_replayed, 1, self.rollouts)
        rows = np.repeat(np.arange(n - again), counts)[: n - again]
        is_replayed = is_replayed[: rows[-1] + 1] if len(rows) else is_replayed[:0]
        places = np.empty((len(is_replayed), self.space.dim))
        if is_replayed.any():
            places[is_replayed] = self.successes[
                self.rng.integers(len(self.successes), size=int(is_replayed.sum()))
            ]
        if not is_replayed.all():
            places[~is_replayed] = self._draw(int((~is_replayed).sum()))
        places += self.noise * self.rng.standard_normal(places.shape)
        places = places.clip(0.0, 1.0)
        names = np.where(is_replayed, _REPLAYED, self._goals + np.cumsum(~is_replayed) - 1)
        proposed = np.concatenate([np.repeat(self._goal[None], again, axis=0), places[rows]])
        goals = np.concatenate([np.full(again, self._goals - 1), names[rows]])
        self._repeats -= again
        self._goals += int((~is_replayed).sum())
        if len(rows) and not is_replayed[-1]:
            self._goal, self._repeats = places[-1], self.rollouts - int((rows == rows[-1]).sum())
        sources = np.where(goals == _REPLAYED, "success", "goal" if self._is_trained else "initial")
        return Proposals(self.space.denormalize(proposed), sources, {"goal": goals})

    def _draw(self, n: int) -> Floats:
        if self._generator is None or not self._is_trained:
            return self.space.normalize(self._initial.sample(self.rng, n))
        return self._generator.draw(n, self.rng)

    def observe(self, episode: Episode) -> None:
        is_success = float(episode.score >= self._threshold.of(episode))
        goal = episode.ticket.get("goal", _REPLAYED)
        if goal != _REPLAYED:
            results = self._open.setdefault(goal, [])
            results.append(is_success)
            if len(results) == self.rollouts:
                del self._open[goal]
                self._label(self.space.normalize(episode.proposal), float(np.mean(results)))
            elif len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]
        self._work()

    def _label(self, goal: Floats, success: float) -> None:
        is_good = self.lowest_success <= success <= self.highest_success
        self._labelled.append(goal)
        self._labels.append(float(is_good))
        if success > self.highest_success:
            distances = np.linalg.norm(self.successes - goal, axis=1)
            if not (distances <= self._least_distance).any():
                self.successes = np.concatenate([self.successes, goal[None]])[-_MOST_SUCCESSES:]
        if len(self._labels) == self.goals_per_fit:
            if any(self._labels):
                self._begin_fit()
            self._labelled.clear()
            self._labels.clear()

    def _begin_fit(self) -> None:
        if self._generator is None:
            self._make_generator()
            tasks = self.space.normalize(self._initial.sample(self.rng, _PRETRAINING_GOALS))
            self._jobs.append((tasks, np.ones(_PRETRAINING_GOALS), _PRETRAINING))
        self._jobs.append((np.array(self._labelled), np.array(self._labels), _ITERATIONS))
        self.fits += 1

    def _make_generator(self) -> GoalGenerator:
        # Imported here to start up faster: it imports torch.
        from .goal_generator import GoalGenerator

        self._generator = GoalGenerator(self.space.dim, self.rng)
        return self._generator

    def _work(self) -> None:
        """Do part of the pending training."""
        if self._generator is None or not self._jobs:
            return
        points, labels, iterations = self._jobs.pop(0)
        part = min(iterations, _PER_EPISODE)
        self._generator.fit(points, labels, part, self.rng)
        if iterations > part:
            self._jobs.insert(0, (points, labels, iterations - part))
        else:
            # The first training to finish is the one on the initial distribution.
            self._is_trained = True

    def metrics(self) -> dict[str, float]:
        return {"fits": self.fits, "successes": len(self.successes)}

    def focus(self) -> list[Focus]:
        """Gaussians around tasks drawn from the generator, without an effect on later proposals."""
        if self._generator is None or not self._is_trained:
            return []
        tasks = self.space.denormalize(self._generator.draw(_SHOWN, np.random.default_rng(0)).clip(0, 1))
        width = self.space.high.astype(np.float64) - self.space.low
        covariance = np.diag((max(self.noise, _FOCUS_STD) * width) ** 2)
        return [FocusGaussian(1 / _SHOWN, task.astype(np.float64), covariance) for task in tasks]

    def _state(self) -> dict[str, Any]:
        return {
            "generator": None if self._generator is None else self._generator.state_dict(),
            "is_trained": self._is_trained,
            "successes": self.successes.copy(),
            "fits": self.fits,
            "goals": self._goals,
            "goal": self._goal.copy(),
            "repeats": self._repeats,
            "open": [[goal, *results] for goal, results in self._open.items()],
            "labelled": np.array(self._labelled).reshape(-1, self.space.dim),
            "labels": list(self._labels),
            "jobs": [[points.copy(), labels.copy(), left] for points, labels, left in self._jobs],
            "threshold": self._threshold.state_dict(),
        }

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self._generator = None
        if state["generator"] is not None:
            rng_state = self.rng.bit_generator.state
            self._make_generator().load_state_dict(state["generator"])
            self.rng.bit_generator.state = rng_state
        self._is_trained = state["is_trained"]
        self.successes, self.fits = state["successes"].copy(), state["fits"]
        self._goals, self._goal, self._repeats = state["goals"], state["goal"].copy(), state["repeats"]
        self._open = {goal: list(results) for goal, *results in state["open"]}
        self._labelled, self._labels = list(state["labelled"].copy()), list(state["labels"])
        self._jobs = [(points.copy(), labels.copy(), left) for points, labels, left in state["jobs"]]
        self._threshold.load_state_dict(state["threshold"])

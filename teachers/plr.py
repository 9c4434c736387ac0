"""PLR: replays levels on which the student's critic made the largest errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskSpace
from .critic_scores import CriticScores
from .episode import Episode
from .level_buffer import NONE, Level, LevelBuffer
from .proposal import Proposals
from .teacher import NEEDS, Seed, Teacher

_SEEDS = 2**31
_MOST_LEVELS = 1_000_000
"""Most levels of a buffer, which is sorted for every proposal."""

CRITIC_SCORES: Mapping[str, Callable[[CriticScores, float], float]] = {
    "positive_value_loss": lambda critic, best_return: critic.positive_advantage,
    "value_l1": lambda critic, best_return: critic.absolute_advantage,
    "max_mc": lambda critic, best_return: best_return - critic.value,
}
"""Scores of a level, given those of an episode and the highest discounted return in the level so far."""
LEARNABILITY = "learnability"
"""The score that needs no critic."""


class PLR(Teacher):
    """Prioritized level replay (Jiang, Grefenstette and Rocktäschel, ICML 2021).

    A level is a task and the seed of the env's reset, so that a replayed level has the same terrain. Levels
    that have been played and scored are kept in a buffer. Once it is full enough, a proposal is, with
    probability `replay_probability`, a level from the buffer, drawn by the ranks of the scores and by the
    time since each level was last proposed (see `LevelBuffer`); otherwise it is a new level, uniform over the
    task space. A new level enters a full buffer if its score is above that of the least probable level; a
    replayed level gets the score of its latest episode.

    Scores of an episode, in the notation of `CriticScores`:

    | score | formula | source |
    |---|---|---|
    | positive_value_loss | mean of max(A_t, 0) | Jiang et al. 2021b |
    | value_l1 | mean of the absolute A_t | Jiang et al. 2021a |
    | max_mc | mean of R_max - V(s_t) | Jiang et al. 2021b |
    | learnability | S (1 - S), S being the return scaled to [0, 1] | Rutherford et al. 2024 |

    R_max is the highest discounted return of an episode in the level. The papers use undiscounted returns,
    which the critic's values approach only where rewards are sparse and gamma is near 1.

    The robust form (`robust`; Jiang et al., *Replay-guided adversarial environment design*, NeurIPS
    2021) does not learn from new levels; they are only played to be scored. It requires FastPPO.

    All scores except learnability need a student with a critic: any algorithm of Stable-Baselines3 except ARS
    and OverlappedSAC. On-policy students score episodes at the end of each rollout, off-policy ones at the
    end of each episode.

    The defaults are those of Parker-Holder et al. (ICML 2022) for BipedalWalker, except `robust`, which is
    true there.

    Args:
        space: The tasks to choose from.
        seed: Seeds the teacher's own generator.
        score: positive_value_loss, value_l1, max_mc or learnability.
        robust: Whether the student learns only from replayed levels.
        replay_probability: Share of replayed levels, in [0, 1]; above 0 if robust.
        buffer_size: Maximum number of levels in the buffer: at least the number played at once, at most a
            million; a proposal and its result take 0.2 ms with 1,000 and 0.4 ms with 4,000.
        minimum_fill: Share of the buffer that is filled before the first replay, in [0, 1].
        temperature: beta of the ranks, above 0: rank 1 is 2^(1/beta) times as probable as rank 2.
        staleness: Share of the probability that grows with the time since a level was last proposed,
            in [0, 1].

    Raises:
        ValueError: If an argument is out of range.

    Attributes:
        levels: The buffer.
    """

    scales_returns = True

    def __init__(
        self,
        space: TaskSpace,
        seed: Seed = None,
        score: str = "positive_value_loss",
        robust: bool = False,
        replay_probability: float = 0.5,
        buffer_size: int = 1000,
        minimum_fill: float = 0.5,
        temperature: float = 0.1,
        staleness: float = 0.5,
    ) -> None:
        super().__init__(space, seed)
        if score not in {*CRITIC_SCORES, LEARNABILITY}:
            raise ValueError(f"score={score!r} must be one of {[*CRITIC_SCORES, LEARNABILITY]}")
        shares = {"minimum_fill": minimum_fill, "staleness": staleness}
        for name, share in {"replay_probability": replay_probability, **shares}.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share} must lie in [0, 1]")
        if robust and replay_probability == 0:
            raise ValueError(f"replay_probability={replay_probability} must be above 0 with robust=True")
        if not 1 <= buffer_size <= _MOST_LEVELS:
            raise ValueError(f"buffer_size={buffer_size} must lie in [1, {_MOST_LEVELS}]")
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature={temperature} must be above 0 and finite")
        self.score = score
        self.robust = robust
        asks = {"critic": score in CRITIC_SCORES, "no_gradient": robust}
        self.needs = frozenset(need for need, is_asked in asks.items() if is_asked)
        self.replay_probability = replay_probability
        self.levels = LevelBuffer(space.dim, buffer_size, temperature, staleness)
        self._least = max(1, math.ceil(minimum_fill * buffer_size))

    def require_student(self, student: str, offers: frozenset[str], n_envs: int) -> None:
        keys = {
            "critic": (f"score={self.score}", f"score={LEARNABILITY}"),
            "no_gradient": (f"robust={self.robust}", "robust=False"),
        }
        for need, (key, other) in keys.items():
            if need in self.needs - offers:
                raise ValueError(f"{key} needs {NEEDS[need]}, which {student} is not: use {other}")
        if n_envs > self.levels.capacity:
            raise ValueError(
                f"buffer_size={self.levels.capacity} must be at least n_envs={n_envs}, the levels that are "
                "played at once"
            )

    def _propose(self, n: int) -> Proposals:
        levels = self.levels
        tasks, seeds = self._new_tasks(n), self.rng.integers(_SEEDS, size=n)
        sources = np.full(n, "random")
        tickets = {
            "level": np.full(n, NONE),
            "proposed": levels.clock + 1 + np.arange(n),
            "parent": np.full(n, NONE),
            "edits": np.zeros(n, np.int64),
        }
        edited = self._edit(tasks, sources, tickets)
        if edited < n and levels.count >= self._least:
            replays = edited + np.flatnonzero(self.rng.random(n - edited) < self.replay_probability)
            rows = self.rng.choice(levels.count, size=len(replays), p=levels.probabilities())
            tasks[replays], seeds[replays], sources[replays] = (
                levels.tasks[rows],
                levels.seeds[rows],
                "replay",
            )
            tickets["level"][replays], tickets["edits"][replays] = levels.numbers[rows], levels.edits[rows]
            levels.proposed[rows] = tickets["proposed"][replays]
        levels.clock += n
        trains = tickets["level"] != NONE if self.robust else None
        return Proposals(tasks, sources, tickets, seeds, trains)

    def _new_tasks(self, n: int) -> NDArray[np.float32]:
        """Tasks of new levels, shape (n, d)."""
        return self.space.sample(self.rng, n)

    def _edit(
        self, tasks: NDArray[np.float32], sources: NDArray[np.str_], tickets: dict[str, NDArray[np.int64]]
    ) -> int:
        """Replace the first new levels by edited copies of levels; returns how many."""
        return 0

    def observe(self, episode: Episode) -> None:
        levels, ticket = self.levels, episode.ticket
        earned = -math.inf if episode.critic is None else episode.critic.discounted_return
        number = ticket.get("level", NONE)
        if number == NONE:
            proposed, parent = ticket.get("proposed", levels.clock), ticket.get("parent", NONE)
            level = Level(episode.proposal, episode.seed, proposed, parent, ticket.get("edits", 0))
            levels.add(level, self._score(episode, earned), earned)
            return
        row = levels.row_of(number)
        if row is not None:
            best = max(earned, levels.best_returns[row])
            levels.scores[row], levels.best_returns[row] = self._score(episode, best), best

    def _score(self, episode: Episode, best_return: float) -> float:
        if self.score == LEARNABILITY:
            return episode.score * (1 - episode.score)
        assert episode.critic is not None
        return CRITIC_SCORES[self.score](episode.critic, best_return)

    def metrics(self) -> dict[str, float]:
        levels = self.levels
        if not levels.count:
            return {"levels": 0.0}
        shares = levels.probabilities()
        means = shares @ levels.tasks[: levels.count]
        return {
            "levels": float(levels.count),
            "score_mean": float(levels.scores[: levels.count].mean()),
            "replayed_score_mean": float(shares @ levels.scores[: levels.count]),
            **{
                f"replayed_{column}": float(mean)
                for column, mean in zip(self.space.columns, means, strict=True)
            },
        }

    def _state(self) -> dict[str, Any]:
        return {"levels": self.levels.state_dict()}

    def _load_state(self, state: Mapping[str, Any]) -> None:
        self.levels.load_state_dict(state["levels"])

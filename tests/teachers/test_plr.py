from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from chiron.teachers import PLR, CriticScores, Episode, Proposal
from chiron.teachers.level_buffer import NONE, Level, LevelBuffer

from tests.teachers.spaces import cube, played


def rated(proposal: Proposal, critic: CriticScores, score: float = 0.0) -> Episode:
    episode = played(proposal, score)
    episode.critic = critic
    return episode


def surprising(positive: float, value: float = 0.0, discounted_return: float = 0.0) -> CriticScores:
    """Critic scores with a given positive surprise."""
    return CriticScores(positive, 2 * positive, value, discounted_return)


def filled(teacher: PLR, scores: list[float]) -> list[Proposal]:
    """Give the first proposals of a teacher these scores."""
    proposals = [teacher.sample() for _ in scores]
    for proposal, score in zip(proposals, scores, strict=True):
        teacher.observe(rated(proposal, surprising(score)))
    return proposals


def buffer_of(scores: list[float], proposed: list[int], clock: int, **settings: Any) -> LevelBuffer:
    buffer = LevelBuffer(1, len(scores), **{"temperature": 1.0, "staleness": 0.25, **settings})
    buffer.clock = clock
    for i, (score, when) in enumerate(zip(scores, proposed, strict=True)):
        buffer.add(
            Level(np.array([i / 10], np.float32), seed=100 + i, proposed=when), score, best_return=score
        )
    return buffer


class TestProbabilities:
    def test_by_hand(self) -> None:
        """Ranks 2, 1, 3 have weights 1/2, 1, 1/3 at temperature 1; ages are 6, 3 and 1."""
        buffer = buffer_of([5.0, 9.0, -1.0], proposed=[4, 7, 9], clock=10)
        by_score = np.array([3, 6, 2]) / 11
        by_age = np.array([6, 3, 1]) / 10
        assert buffer.probabilities() == pytest.approx(0.75 * by_score + 0.25 * by_age)

    def test_temperature_is_the_inverse_of_the_power(self) -> None:
        buffer = buffer_of([3.0, 2.0, 1.0], proposed=[0, 0, 0], clock=1, temperature=0.5, staleness=0.0)
        assert buffer.probabilities() == pytest.approx(np.array([36, 9, 4]) / 49)

    def test_equal_scores_are_ranked_by_age_and_equal_ages_are_alike(self) -> None:
        buffer = buffer_of([1.0, 1.0], proposed=[3, 3], clock=3, staleness=0.5)
        assert buffer.probabilities() == pytest.approx([0.5 * 2 / 3 + 0.25, 0.5 / 3 + 0.25])

    def test_proposals_follow_them(self) -> None:
        teacher = PLR(
            cube(1), 0, replay_probability=1.0, buffer_size=3, minimum_fill=1.0, temperature=1, staleness=0
        )
        first = filled(teacher, [1.0, 3.0, 2.0])
        drawn = Counter(teacher.sample().task.item() for _ in range(6000))
        shares = [drawn[proposal.task.item()] / 6000 for proposal in first]
        assert shares == pytest.approx(np.array([2, 6, 3]) / 11, abs=0.03)

    def test_all_that_are_asked_for_at_once_are_drawn_alike(self) -> None:
        teacher = PLR(cube(1), 0, buffer_size=3, minimum_fill=1.0, temperature=1, staleness=0)
        first = filled(teacher, [1.0, 3.0, 2.0])
        proposals = teacher.sample(6000)
        drawn = Counter(proposals.tasks[:, 0].tolist())
        shares = [drawn[proposal.task.item()] / 6000 for proposal in first]
        assert shares == pytest.approx(np.array([1, 3, 1.5]) / 11, abs=0.03)
        assert teacher.levels.clock == 6003


class TestLevels:
    def test_what_is_played_again_is_the_same_task_with_the_same_seed(self) -> None:
        teacher = PLR(cube(2), 0, buffer_size=20, minimum_fill=0.5)
        filled(teacher, list(range(20)))
        levels = {
            (*task.tolist(), int(seed))
            for task, seed in zip(teacher.levels.tasks, teacher.levels.seeds, strict=True)
        }
        kinds: Counter[str] = Counter()
        for _ in range(200):
            proposal = teacher.sample()
            kinds[proposal.source] += 1
            is_known = (*proposal.task.tolist(), proposal.seed) in levels
            assert is_known == (proposal.source == "replay")
        assert 70 < kinds["replay"] < 130

    def test_nothing_is_played_again_before_the_buffer_is_full_enough(self) -> None:
        teacher = PLR(cube(1), 0, replay_probability=1.0, buffer_size=10, minimum_fill=0.5)
        sources = []
        for i in range(8):
            sources.append(teacher.sample())
            teacher.observe(rated(sources[-1], surprising(i)))
        assert [proposal.source for proposal in sources] == ["random"] * 5 + ["replay"] * 3

    def test_a_new_level_enters_if_it_scores_more_than_the_least_probable(self) -> None:
        buffer = buffer_of([5.0, 9.0, 7.0], proposed=[1, 8, 9], clock=10, staleness=0.5)
        # Weights: 0.5 (1/3, 1, 1/2) / (11/6) + 0.5 (9, 2, 1) / 12: the last is the least probable.
        level = Level(np.array([0.7], np.float32), seed=7, proposed=10, parent=1, edits=3)
        buffer.add(level, 7.0, 0.0)
        assert buffer.scores.tolist() == [5.0, 9.0, 7.0]
        assert buffer.numbers.tolist() == [0, 1, 2]
        buffer.add(level, 7.5, 1.5)
        assert buffer.scores.tolist() == [5.0, 9.0, 7.5]
        assert buffer.tasks[:, 0].tolist() == np.array([0, 0.1, 0.7], np.float32).tolist()
        assert buffer.seeds.tolist() == [100, 101, 7]
        assert buffer.numbers.tolist() == [0, 1, 3]
        assert buffer.parents.tolist() == [NONE, NONE, 1]
        assert buffer.edits.tolist() == [0, 0, 3]
        assert buffer.proposed.tolist() == [1, 8, 10]
        assert buffer.best_returns.tolist() == [5.0, 9.0, 1.5]

    def test_a_replayed_level_takes_its_latest_score(self) -> None:
        teacher = PLR(cube(1), 0, replay_probability=1.0, buffer_size=2, minimum_fill=1.0)
        filled(teacher, [1.0, 2.0])
        one, other = teacher.sample(2)
        for proposal, score in ((one, 5.0), (other, 0.5)):
            teacher.observe(rated(proposal, surprising(score)))
            assert teacher.levels.scores[proposal.ticket["level"]] == score
        assert teacher.levels.count == 2

    def test_a_level_that_has_been_replaced_meanwhile_keeps_nothing(self) -> None:
        teacher = PLR(
            cube(1), 0, replay_probability=0.5, buffer_size=1, minimum_fill=1.0, score="positive_value_loss"
        )
        filled(teacher, [1.0])
        proposals = teacher.sample(50)
        replay = next(proposal for proposal in proposals if proposal.source == "replay")
        new = next(proposal for proposal in proposals if proposal.source == "random")
        teacher.observe(rated(new, surprising(3.0)))
        teacher.observe(rated(replay, surprising(9.0)))
        assert teacher.levels.scores.tolist() == [3.0]
        assert teacher.levels.seeds.tolist() == [new.seed]

    def test_the_clock_counts_proposals(self) -> None:
        teacher = PLR(cube(1), 0, replay_probability=1.0, buffer_size=2, minimum_fill=1.0, staleness=1.0)
        filled(teacher, [1.0, 2.0])
        assert teacher.levels.proposed.tolist() == [1, 2]
        # Ages are 1 and 0, so the older one is replayed; then they are 0 and 1, and so on.
        assert [teacher.sample().ticket["level"] for _ in range(4)] == [0, 1, 0, 1]
        assert teacher.levels.proposed.tolist() == [5, 6]


class TestScores:
    CRITIC = CriticScores(positive_advantage=0.3, absolute_advantage=0.7, value=2.0, discounted_return=5.0)

    @pytest.mark.parametrize(
        ("score", "expected"),
        [("positive_value_loss", 0.3), ("value_l1", 0.7), ("max_mc", 3.0), ("learnability", 0.16)],
    )
    def test_by_hand(self, score: str, expected: float) -> None:
        teacher = PLR(cube(1), 0, score=score)
        teacher.observe(rated(teacher.sample(), self.CRITIC, score=0.2))
        assert teacher.levels.scores[0] == pytest.approx(expected)

    def test_max_mc_remembers_the_best_return_of_each_level(self) -> None:
        teacher = PLR(cube(1), 0, score="max_mc", replay_probability=1.0, buffer_size=1, minimum_fill=1.0)
        seen = []
        for discounted_return in (5.0, 3.0, 8.0, 1.0):
            critic = surprising(0.0, value=2.0, discounted_return=discounted_return)
            teacher.observe(rated(teacher.sample(), critic))
            seen.append(teacher.levels.scores[0])
        assert seen == [3.0, 3.0, 6.0, 6.0]


class TestNeeds:
    def test_the_robust_form_learns_from_what_it_replays(self) -> None:
        teacher = PLR(cube(1), 0, robust=True, buffer_size=4, minimum_fill=0.5)
        proposals = filled(teacher, [1.0, 2.0, 3.0, 4.0]) + [teacher.sample() for _ in range(100)]
        assert {(proposal.source, proposal.trains) for proposal in proposals} == {
            ("random", False),
            ("replay", True),
        }

    def test_the_original_learns_from_everything(self) -> None:
        teacher = PLR(cube(1), 0, buffer_size=4, minimum_fill=0.5)
        assert all(proposal.trains for proposal in filled(teacher, [1.0] * 4))

    @pytest.mark.parametrize("score", ["positive_value_loss", "value_l1", "max_mc"])
    def test_a_student_without_a_critic_is_refused(self, score: str) -> None:
        teacher = PLR(cube(1), 0, score=score)
        with pytest.raises(
            ValueError, match=f"^score={score} needs a student with a critic .*, which toy is not: use"
        ):
            teacher.require_student("toy", frozenset({"success", "no_gradient"}), 4)
        PLR(cube(1), 0, score="learnability").require_student("toy", frozenset(), 4)

    def test_a_student_without_masking_is_refused(self) -> None:
        teacher = PLR(cube(1), 0, robust=True)
        with pytest.raises(
            ValueError, match=r"^robust=True needs .*\(FastPPO.*, which PPO is not: use robust"
        ):
            teacher.require_student("PPO", frozenset({"critic"}), 4)
        teacher.require_student("FastPPO", frozenset({"critic", "no_gradient"}), 4)

    def test_a_buffer_smaller_than_the_levels_of_a_rollout_is_refused(self) -> None:
        teacher = PLR(cube(1), 0, buffer_size=3)
        offers = frozenset({"critic", "no_gradient"})
        with pytest.raises(ValueError, match=r"^buffer_size=3 must be at least n_envs=4"):
            teacher.require_student("FastPPO", offers, 4)
        teacher.require_student("FastPPO", offers, 3)

    def test_a_loop_of_ones_own_has_to_tell_what_the_critic_says(self) -> None:
        teacher = PLR(cube(1), 0)
        with pytest.raises(ValueError, match="PLR needs critic="):
            teacher.tell(teacher.sample(), 0.5)


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("score", "regret", "score='regret' must be one of"),
        ("replay_probability", 1.5, r"replay_probability=1.5 must lie in \[0, 1\]"),
        ("minimum_fill", -0.1, r"minimum_fill=-0.1 must lie in \[0, 1\]"),
        ("staleness", 2, r"staleness=2 must lie in \[0, 1\]"),
        ("buffer_size", 0, r"buffer_size=0 must lie in \[1, 1000000\]"),
        ("buffer_size", 2_000_000_000, "buffer_size=2000000000 must lie in"),
        ("temperature", 0, "temperature=0 must be above 0 and finite"),
    ],
)
def test_arguments_out_of_range_are_refused(argument: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PLR(cube(1), 0, **{argument: value})


def test_a_robust_teacher_that_replays_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="replay_probability=0 must be above 0 with robust=True"):
        PLR(cube(1), 0, robust=True, replay_probability=0)


def test_episodes_in_flight_go_on_in_a_restored_teacher() -> None:
    """A replay and a new level are told to the teacher that proposed them and to one made of its state."""
    one, other = (PLR(cube(2), seed, buffer_size=6, minimum_fill=0.5) for seed in (0, 1))
    filled(one, [3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
    flying = list(one.sample(12))
    assert {proposal.source for proposal in flying} == {"random", "replay"}
    other.load_state_dict(one.state_dict())
    for i, proposal in enumerate(flying):
        for teacher in (one, other):
            teacher.observe(rated(proposal, surprising(float(i % 5), 1.0, float(i))))
    for _ in range(20):
        mine, theirs = one.sample(), other.sample()
        assert (mine.task.tolist(), mine.seed, mine.ticket) == (
            theirs.task.tolist(),
            theirs.seed,
            theirs.ticket,
        )

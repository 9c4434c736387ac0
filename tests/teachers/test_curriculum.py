from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.runs.state_file import load_state, save_state
from chiron.teachers import ADR, DORAEMON, Curriculum, Episode, GridLP, Proposal, Proposals, Random

from tests.teachers.spaces import cube, judged


class Diary(Random):
    """Proposes at random with a numbered ticket, and records its calls."""

    def __init__(self, space: TaskSpace, seed: int = 0) -> None:
        super().__init__(space, seed)
        self.events: list[str] = []
        self.results: list[Episode] = []
        self.proposals: list[Proposal] = []

    def _propose(self, n: int) -> Proposals:
        self.events.append("sample")
        tickets = {"number": np.array([len(self.proposals)]), "array": np.arange(3)[None]}
        proposals = Proposals(super()._propose(n).tasks, "diary", tickets)
        self.proposals.append(proposals[0])
        return proposals

    def observe(self, episode: Episode) -> None:
        self.events.append("observe")
        self.results.append(episode)


class Scaled(Diary):
    scales_returns = True


class WantsSuccess(Diary):
    needs = frozenset({"success"})


class WantsMoons(Diary):
    needs = frozenset({"moons", "success"})


class WantsCritic(Diary):
    """Proposes levels; the student learns from every second one."""

    needs = frozenset({"critic", "no_gradient"})

    def _propose(self, n: int) -> Proposals:
        number = len(self.proposals)
        proposals = super()._propose(n)
        return replace(proposals, seeds=np.array([1000 + number]), trains=np.array([number % 2 == 0]))


def outcome(episode_return: float = 0.0, **known: Any) -> dict[str, Any]:
    return {"episode_return": episode_return, "length": 10, "step": 100, **known}


class TestAttribution:
    def test_results_belong_to_the_task_that_was_played_in_whatever_order(self) -> None:
        teacher = Diary(cube(2))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space), seed=0)
        rng = np.random.default_rng(0)
        slots = {slot: curriculum.next_task(slot) for slot in range(16)}
        for _ in range(500):
            slot = int(rng.integers(16))
            played = slots[slot]
            episode = curriculum.finish(slot, **outcome(float(played.task[0])))
            assert episode is played
            assert teacher.results[-1] is played
            assert teacher.results[-1].episode_return == float(teacher.results[-1].task[0])
            assert played.task.tolist() == teacher.proposals[played.ticket["number"]].task.tolist()
            slots[slot] = curriculum.next_task(slot)
        assert [result.ticket["number"] for result in teacher.results] != list(range(500))

    def test_an_episode_that_is_not_finished_is_dropped(self) -> None:
        teacher = Diary(cube(2))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space))
        curriculum.next_task(0)
        curriculum.next_task(0)
        curriculum.finish(0, **outcome())
        assert [result.ticket["number"] for result in teacher.results] == [1]
        with pytest.raises(KeyError):
            curriculum.finish(0, **outcome())

    def test_episodes_are_numbered_as_they_finish_and_have_seeds_of_their_own(self) -> None:
        teacher = Diary(cube(2))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space), seed=0)
        for slot in range(8):
            curriculum.next_task(slot)
        episodes = [curriculum.finish(slot, **outcome()) for slot in (3, 0, 7, 1)]
        assert [episode.index for episode in episodes] == [0, 1, 2, 3]
        assert len({episode.seed for episode in episodes}) == 4
        assert curriculum.episodes == 4


class TestReturns:
    @pytest.mark.parametrize(
        ("raw", "scaled"), [(-150, 0.0), (350, 1.0), (100, 0.5), (-400, 0.0), (900, 1.0)]
    )
    def test_are_scaled_and_clipped_for_teachers_that_ask(self, raw: float, scaled: float) -> None:
        for kind, expected in ((Scaled, scaled), (Diary, raw)):
            teacher = kind(cube(1))
            curriculum = Curriculum(teacher, EnvInfo(teacher.space, (-150, 350)))
            curriculum.next_task(0)
            episode = curriculum.finish(0, **outcome(raw))
            assert teacher.results[0].score == expected
            assert episode.episode_return == raw

    def test_the_mastered_return_is_on_the_scale_of_the_score(self) -> None:
        for kind, expected in ((Scaled, 0.76), (Diary, 230.0)):
            teacher = kind(cube(1))
            curriculum = Curriculum(teacher, EnvInfo(teacher.space, (-150, 350), 230.0))
            curriculum.next_task(0)
            assert curriculum.finish(0, **outcome(100)).mastered_score == expected

    def test_stay_as_they_are_without_a_range(self) -> None:
        teacher = Scaled(cube(1))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space))
        curriculum.next_task(0)
        curriculum.finish(0, **outcome(-400))
        assert teacher.results[0].score == -400


def test_listeners_hear_of_an_episode_before_the_teacher_is_asked_again() -> None:
    teacher = Diary(cube(1))
    curriculum = Curriculum(teacher, EnvInfo(teacher.space))
    heard: list[Episode] = []
    curriculum.listeners += [heard.append, lambda episode: teacher.events.append("heard")]
    for _ in range(2):
        curriculum.next_task(0)
        curriculum.finish(0, **outcome())
    assert teacher.events == ["sample", "heard", "observe"] * 2
    assert [episode.index for episode in heard] == [0, 1]


class TestNeeds:
    def test_success_is_passed_on(self) -> None:
        teacher = WantsSuccess(cube(1))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space))
        curriculum.next_task(0)
        curriculum.finish(0, **outcome(success=True))
        assert teacher.results[0].success is True

    def test_an_env_that_does_not_report_success_is_refused(self) -> None:
        teacher = WantsSuccess(cube(1))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space))
        curriculum.next_task(0)
        with pytest.raises(
            ValueError, match="WantsSuccess needs success, but the env does not report is_success"
        ):
            curriculum.finish(0, **outcome())

    @pytest.mark.parametrize(
        ("teacher", "settings", "mastered_return", "message"),
        [
            (ADR, {"low_threshold": 0.7}, 6.0, "low_threshold=0.7 must be below high_threshold=0.6"),
            (
                ADR,
                {},
                None,
                "high_threshold=None must be a number, because the env declares no mastered_return",
            ),
            (DORAEMON, {}, None, "threshold=None must be a number"),
            (GridLP, {"rule": "growth"}, None, "threshold=None must be a number"),
        ],
    )
    def test_a_threshold_that_the_env_does_not_give_is_refused_at_once(
        self, teacher: Any, settings: Any, mastered_return: float | None, message: str
    ) -> None:
        space = cube(2)
        info = EnvInfo(space, return_range=(0.0, 10.0), mastered_return=mastered_return)
        with pytest.raises(ValueError, match=message):
            Curriculum(teacher(space, seed=0, **settings), info)

    def test_needs_that_no_episode_meets_are_refused_at_once(self) -> None:
        teacher = WantsMoons(cube(1))
        with pytest.raises(ValueError, match=r"needs=\['moons'\] of WantsMoons must be among \['critic',"):
            Curriculum(teacher, EnvInfo(teacher.space))


class TestLevels:
    def test_a_proposal_names_the_seed_that_is_played_and_whether_it_is_learned_from(self) -> None:
        teacher = WantsCritic(cube(1))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space), seed=0)
        episodes = [curriculum.next_task(slot) for slot in range(3)]
        assert [(episode.seed, episode.trains) for episode in episodes] == [
            (1000, True),
            (1001, False),
            (1002, True),
        ]

    def test_other_teachers_get_the_seeds_they_always_got(self) -> None:
        curriculum = Curriculum(Diary(cube(1)), EnvInfo(cube(1)), seed=5)
        rng = np.random.default_rng(5)
        for _ in range(10):
            episode = curriculum.next_task(0)
            assert episode.seed == rng.integers(2**31)
            assert episode.trains


class TestRating:
    def test_a_teacher_that_needs_the_critic_is_told_when_it_has_spoken(self) -> None:
        teacher = WantsCritic(cube(1))
        curriculum = Curriculum(teacher, EnvInfo(teacher.space), seed=0)
        heard: list[Episode] = []
        curriculum.listeners.append(heard.append)
        for slot in (0, 1, 0, 0):
            curriculum.next_task(slot)
            curriculum.finish(slot, **outcome(float(len(heard))))
        assert len(heard) == 4
        assert teacher.results == []
        for slot, expected in ((0, 0), (0, 2), (1, 1), (0, 3)):
            assert curriculum.rate(slot, judged(expected)) is heard[expected]
        assert [episode.index for episode in teacher.results] == [0, 2, 1, 3]
        assert all(episode.critic == judged(episode.episode_return) for episode in teacher.results)
        with pytest.raises(KeyError):
            curriculum.rate(0, judged(0.0))


class TestState:
    def test_episodes_that_wait_for_the_critic_are_part_of_it(self, tmp_path: Path) -> None:
        teacher, restored_teacher = WantsCritic(cube(2)), WantsCritic(cube(2), seed=9)
        curriculum = Curriculum(teacher, EnvInfo(teacher.space, (0.0, 1.0), 0.5), seed=0)
        restored = Curriculum(restored_teacher, curriculum.info, seed=8)
        for slot in range(5):
            curriculum.next_task(slot)
            curriculum.finish(slot, **outcome(slot / 4, success=True if slot % 2 else None))
        curriculum.next_task(0)
        save_state(tmp_path / "curriculum", curriculum.state_dict())
        restored.load_state_dict(load_state(tmp_path / "curriculum"))
        assert restored.playing(0).trains == curriculum.playing(0).trains
        for slot in (2, 4, 3, 0, 1):
            for one in (curriculum, restored):
                one.rate(slot, judged(0.5))
        for mine, theirs in zip(teacher.results, restored_teacher.results, strict=True):
            for field in fields(Episode):
                np.testing.assert_equal(getattr(theirs, field.name), getattr(mine, field.name))

    def test_goes_on_exactly_with_the_episodes_in_flight(self, tmp_path: Path) -> None:
        teacher, restored_teacher = Diary(cube(2)), Diary(cube(2), seed=9)
        curriculum = Curriculum(teacher, EnvInfo(teacher.space), seed=0)
        restored = Curriculum(restored_teacher, EnvInfo(teacher.space), seed=8)
        for slot in range(5):
            curriculum.next_task(slot)
        curriculum.finish(3, **outcome())
        save_state(tmp_path / "curriculum", curriculum.state_dict())
        restored.load_state_dict(load_state(tmp_path / "curriculum"))
        with pytest.raises(KeyError):
            restored.playing(3)
        for one in (curriculum, restored):
            one.next_task(3)
        for slot in (2, 4, 3, 0, 1):
            episodes = [one.finish(slot, **outcome(1.0)) for one in (curriculum, restored)]
            assert episodes[0].index == episodes[1].index
            assert episodes[0].seed == episodes[1].seed
            mine, theirs = episodes
            assert mine.task.tolist() == theirs.task.tolist()
            assert theirs.task.dtype == np.float32
            assert mine.source == theirs.source
            if slot != 3:
                assert theirs.ticket["number"] == mine.ticket["number"]
                assert theirs.ticket["array"].tolist() == [0, 1, 2]

    def test_integers_go_on_with_what_was_proposed_and_what_is_played(self) -> None:
        space = TaskSpace([TaskParameter("skip", 2, 5, integer=True)])
        curriculum, restored = (Curriculum(Diary(space, seed), EnvInfo(space)) for seed in (0, 9))
        started = curriculum.next_task(0)
        restored.load_state_dict(curriculum.state_dict())
        continued = restored.playing(0)
        assert continued.task.tolist() == started.task.tolist() == [round(float(started.proposal[0]))]
        assert continued.proposal.tolist() == started.proposal.tolist() != started.task.tolist()

    def test_of_another_teacher_is_refused(self) -> None:
        space = cube(1)
        state = Curriculum(Diary(space), EnvInfo(space)).state_dict()
        with pytest.raises(ValueError, match="teacher='Diary' of the stored state must be 'Scaled'"):
            Curriculum(Scaled(space), EnvInfo(space)).load_state_dict(state)


class TestConstruction:
    def test_a_teacher_of_another_space_is_refused(self) -> None:
        other = TaskSpace([TaskParameter("gap", 0, 1)])
        with pytest.raises(ValueError, match=r"proposes \['x0'\], the curriculum is over \['gap'\]"):
            Curriculum(Random(cube(1)), EnvInfo(other))

    def test_a_range_that_does_not_increase_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match=r"return_range=\[350, -150\] must be the lowest and the highest return"
        ):
            Curriculum(Random(cube(1)), EnvInfo(cube(1), (350, -150)))

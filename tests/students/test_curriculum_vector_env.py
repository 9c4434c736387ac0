from __future__ import annotations

from collections import Counter
from typing import Any

import chiron
import gymnasium as gym
import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.env_info import EnvInfo, env_info
from chiron.envs.task_space import TaskSpace
from chiron.envs.vector.infos import infos_by_slot, merged_infos, split_infos
from chiron.students import CurriculumVectorEnv, NotFiniteError
from chiron.teachers import ALPGMM, Curriculum, Random
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from tests.countdown_env import CountdownEnv
from tests.students.probes import Always, Diary, Quiet

SLOTS = 6
MODES = list(AutoresetMode)
NOTHING = np.zeros((SLOTS, 1), dtype=np.float32)


class Cut(CountdownEnv):
    """Truncates episodes instead of terminating them if the task's worth is above 0.5."""

    def step(self, action: Any) -> Any:
        observation, reward, over, _, info = super().step(action)
        is_cut = over and self._worth > 0.5
        return observation, reward, over and not is_cut, is_cut, info


def build(mode: AutoresetMode | str, make_env: Any = CountdownEnv, n_workers: int = 0) -> CurriculumVectorEnv:
    space = make_env().task_space
    curriculum = Curriculum(Diary(space, seed=0), EnvInfo(space), seed=1)
    return CurriculumVectorEnv([make_env] * SLOTS, curriculum, n_workers, autoreset_mode=mode)


def step(envs: Any, actions: Any = NOTHING) -> Any:
    """A step, and the reset that a learner has to make if autoreset is disabled."""
    observations, rewards, terminated, truncated, infos = envs.step(actions)
    over = terminated | truncated
    if envs.metadata["autoreset_mode"] == AutoresetMode.DISABLED and over.any():
        observations, _ = envs.reset(options={"reset_mask": over})
    return observations, rewards, terminated, truncated, infos


def diary_of(envs: CurriculumVectorEnv) -> Diary:
    teacher = envs.curriculum.teacher
    assert isinstance(teacher, Diary)
    return teacher


@pytest.mark.parametrize("mode", MODES)
class TestInEveryMode:
    def test_every_result_is_credited_to_the_task_that_was_played(self, mode: AutoresetMode) -> None:
        envs = build(mode)
        envs.reset()
        for _ in range(300):
            step(envs)
        results = diary_of(envs).results
        assert len(results) > 50
        for result in results:
            duration, worth = result.task
            assert result.length == int(np.ceil(duration))
            assert result.episode_return == pytest.approx(result.length * worth, rel=1e-5)
            assert result.success == (worth > 0)
        playing = sum(envs._slots._ticks - start for start in envs._slots._starts)
        assert envs.steps == sum(result.length for result in results) + playing

    def test_envs_are_reset_into_tasks_and_seeds_in_the_order_they_were_chosen(
        self, mode: AutoresetMode
    ) -> None:
        envs = build(mode)
        envs.reset()
        for _ in range(300):
            step(envs)
        seen: Counter[int] = Counter()
        inside = envs.unwrapped.get_attr("unwrapped")  # type: ignore[attr-defined]
        for episode in diary_of(envs).results:
            task, seed = inside[episode.slot].resets[seen[episode.slot]]
            assert (task, seed) == (episode.task.tolist(), episode.seed)
            seen[episode.slot] += 1
        # No env is reset twice for an episode, or skipped.
        waiting = envs._slots.over
        assert [len(env.resets) for env in inside] == [seen[i] + 1 - waiting[i] for i in range(SLOTS)]

    def test_the_result_is_told_first_and_the_next_task_asked_for_in_the_same_step(
        self, mode: AutoresetMode
    ) -> None:
        envs, told = build(mode), 0
        envs.reset()
        diary = diary_of(envs)
        for _ in range(100):
            before = len(diary.events)
            _, _, terminated, truncated, _ = step(envs)
            ended = int((terminated | truncated).sum())
            assert diary.events[before:] == ["observe"] * ended + ["sample"] * ended
            told += ended
        assert told > 20

    def test_steps_are_those_of_gymnasiums_own_vector_env(self, mode: AutoresetMode) -> None:
        """In one task and without randomness, a learner cannot tell the two apart."""
        space = Cut().task_space
        curriculum = Curriculum(Always(space), EnvInfo(space), seed=0)
        ours = CurriculumVectorEnv([Quiet] * SLOTS, curriculum, autoreset_mode=mode)
        stock = SyncVectorEnv([Quiet] * SLOTS, autoreset_mode=mode)
        assert ours.observation_space == stock.observation_space
        assert ours.metadata["autoreset_mode"] == stock.metadata["autoreset_mode"] == mode
        np.testing.assert_array_equal(ours.reset()[0], stock.reset()[0])
        for _ in range(14):
            mine, theirs = step(ours), step(stock)
            for one, other in zip(mine[:4], theirs[:4], strict=True):
                np.testing.assert_array_equal(one, other)
            last, expected = (infos_by_slot(infos, SLOTS) for infos in (mine[4], theirs[4]))
            for one, other in zip(last, expected, strict=True):
                assert ("final_obs" in one) == ("final_obs" in other)
                np.testing.assert_array_equal(one.get("final_obs", ()), other.get("final_obs", ()))
                assert one.get("is_success") == other.get("is_success")
            if "final_info" in theirs[4]:
                for key in ("is_success", "_is_success"):
                    np.testing.assert_array_equal(mine[4]["final_info"][key], theirs[4]["final_info"][key])

    def test_infos_name_the_task_that_has_ended_and_the_one_that_begins(self, mode: AutoresetMode) -> None:
        envs = build(mode, Cut)
        _, infos = envs.reset()
        tasks = np.array([envs.curriculum.playing(slot).task for slot in range(SLOTS)])
        np.testing.assert_array_equal(infos["task"], tasks)
        truncations = 0
        for _ in range(100):
            begins = envs._slots.over
            played = tasks.copy()
            observations, _, terminated, truncated, infos = envs.step(NOTHING)
            truncations += int(truncated.sum())
            np.testing.assert_array_equal(infos["task"], observations[:, :2])
            ended = terminated | truncated
            np.testing.assert_array_equal(truncated, ended & (played[:, 1] > 0.5))
            tasks = np.array([envs.curriculum.playing(slot).task for slot in range(SLOTS)])
            last = infos.get("final_info", infos) if mode == AutoresetMode.SAME_STEP else infos
            if ended.any():
                np.testing.assert_array_equal(last["task"][ended], played[ended])
                assert last["_task"][ended].all()
            if mode == AutoresetMode.SAME_STEP and ended.any():
                np.testing.assert_array_equal(infos["task"][ended], tasks[ended])
                np.testing.assert_array_equal(observations[ended, :2], tasks[ended])
                for slot in np.flatnonzero(ended):
                    np.testing.assert_array_equal(infos["final_obs"][slot][:2], played[slot])
            if begins.any():  # in the next step
                np.testing.assert_array_equal(infos["task"][begins], tasks[begins])
                np.testing.assert_array_equal(observations[begins, :2], tasks[begins])
            if mode == AutoresetMode.DISABLED and ended.any():
                observations, infos = envs.reset(options={"reset_mask": ended})
                np.testing.assert_array_equal(infos["task"][ended], tasks[ended])
                np.testing.assert_array_equal(observations[ended, :2], tasks[ended])
        assert truncations > 5

    def test_gymnasiums_statistics_outside_agree_with_the_curriculum(self, mode: AutoresetMode) -> None:
        inside = build(mode)
        envs = RecordEpisodeStatistics(inside, buffer_length=10_000)
        envs.reset()
        for _ in range(150):
            step(envs)
        results = diary_of(inside).results
        assert list(envs.length_queue) == [result.length for result in results]
        assert list(envs.return_queue) == pytest.approx([result.episode_return for result in results])

    @pytest.mark.parametrize("make_env", [CountdownEnv, StumpTracks], ids=["replayed", "stepped together"])
    @pytest.mark.parametrize("steps", [31, 32, 33])
    def test_resumes_in_the_middle_of_all_episodes(
        self, mode: AutoresetMode, steps: int, make_env: Any
    ) -> None:
        def begin() -> CurriculumVectorEnv:
            info = env_info(make_env())
            curriculum = Curriculum(ALPGMM(info.task_space, seed=0), info, seed=1)
            return CurriculumVectorEnv([make_env] * SLOTS, curriculum, autoreset_mode=mode)

        envs = begin()
        envs.action_space.seed(0)
        actions = [envs.action_space.sample() for _ in range(steps + 60)]
        envs.reset()
        for action in actions[:steps]:
            step(envs, action)
        curriculum, state = envs.curriculum.state_dict(), envs.state_dict()
        again = begin()
        again.curriculum.load_state_dict(curriculum)
        again.load_state_dict(state)
        np.testing.assert_array_equal(again.observations, envs.observations)
        for action in actions[steps:]:
            mine, theirs = step(again, action), step(envs, action)
            for one, other in zip(mine[:4], theirs[:4], strict=True):
                np.testing.assert_array_equal(one, other)
            assert mine[4].keys() == theirs[4].keys()
        assert again.steps == envs.steps
        assert again.curriculum.episodes == envs.curriculum.episodes


@pytest.mark.medium
def test_workers_play_the_same_episodes() -> None:
    logs = []
    for n_workers in (0, 2):
        envs = build("SameStep", n_workers=n_workers)
        envs.reset()
        for _ in range(60):
            step(envs)
        envs.close()
        logs.append([(e.slot, e.seed, e.episode_return, e.step) for e in diary_of(envs).results])
    assert logs[0] == logs[1]


def test_a_reset_of_some_slots_drops_their_episodes_alone() -> None:
    envs = build("NextStep")
    envs.reset()
    before = [envs.curriculum.playing(slot) for slot in range(SLOTS)]
    mask = np.arange(SLOTS) < 2
    observations, infos = envs.reset(options={"reset_mask": mask})
    now = [envs.curriculum.playing(slot) for slot in range(SLOTS)]
    assert [one is other for one, other in zip(before, now, strict=True)] == (~mask).tolist()
    np.testing.assert_array_equal(infos["task"], [episode.task for episode in now])
    np.testing.assert_array_equal(observations[:2, :2], [episode.task for episode in now[:2]])


def test_an_env_that_reports_no_success_is_not_said_to_fail() -> None:
    class Silent(CountdownEnv):
        def step(self, action: Any) -> Any:
            return *super().step(action)[:4], {}

    envs = build("SameStep", Silent)
    envs.reset()
    for _ in range(60):
        step(envs)
    assert {result.success for result in diary_of(envs).results} == {None}


class TestWrongUse:
    def test_an_unknown_mode(self) -> None:
        with pytest.raises(
            ValueError, match=r"autoreset_mode='SAME' must be .* NextStep, SameStep, Disabled"
        ):
            build("SAME")

    @pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
    def test_envs_that_reset_themselves(self, mode: AutoresetMode) -> None:
        space = CountdownEnv().task_space
        envs = SyncVectorEnv([CountdownEnv], autoreset_mode=mode)
        with pytest.raises(ValueError, match=r"CurriculumVectorEnv decides .*AutoresetMode\.DISABLED"):
            CurriculumVectorEnv(envs, Curriculum(Random(space), EnvInfo(space)))

    def test_tasks_of_another_space(self, countdown_space: TaskSpace) -> None:
        with pytest.raises(ValueError, match=r"stump_height.*must be the curriculum's .*duration"):
            CurriculumVectorEnv([StumpTracks], Curriculum(Random(countdown_space), EnvInfo(countdown_space)))

    def test_envs_without_tasks(self, countdown_space: TaskSpace) -> None:
        with pytest.raises(ValueError, match="has no task_space, so a teacher has nothing to choose"):
            CurriculumVectorEnv(
                [lambda: gym.make("CartPole-v1")] * 2,
                Curriculum(Random(countdown_space), EnvInfo(countdown_space)),
            )

    def test_a_step_before_the_first_reset(self) -> None:
        with pytest.raises(ResetNeeded, match="must be reset before its first step"):
            build("SameStep").step(NOTHING)

    def test_a_first_reset_of_some_slots(self) -> None:
        with pytest.raises(ResetNeeded, match="left out of the first reset"):
            build("SameStep").reset(options={"reset_mask": np.arange(SLOTS) < 2})

    def test_a_step_without_the_reset_that_disabled_autoreset_asks_for(self) -> None:
        envs = build(AutoresetMode.DISABLED)
        envs.reset()
        while not envs._slots.over.any():
            envs.step(NOTHING)
        with pytest.raises(ResetNeeded, match=r"slots \[\d.*\] have ended: .*reset_mask"):
            envs.step(NOTHING)

    def test_a_task_of_ones_own(self) -> None:
        with pytest.raises(ValueError, match="the curriculum chooses the tasks"):
            build("SameStep").reset(options={"task": np.zeros((SLOTS, 2))})

    def test_an_action_that_is_not_finite(self) -> None:
        envs = build("SameStep")
        envs.reset()
        with pytest.raises(NotFiniteError, match=r"action .* slot 2 .*duration=.*seed \d+"):
            envs.step(np.where(np.arange(SLOTS)[:, None] == 2, np.nan, NOTHING))


def test_infos_are_split_and_merged_by_slot() -> None:
    mask = np.array([True, False, True])
    infos: dict[str, Any] = {
        "speed": np.array([1.0, 0.0, 3.0]),
        "_speed": mask,
        "parts": {"left": np.array([4, 5, 6]), "_left": ~mask},
        "_parts": ~mask,
        "for_all": "this",
    }
    first = np.array([True, False, False])
    inside, outside = split_infos(infos, first)
    assert infos_by_slot(inside, 3) == [{"speed": 1.0}, {}, {}]
    assert infos_by_slot(outside, 3)[2] == {"speed": 3.0}
    assert "parts" not in inside
    assert inside["for_all"] == outside["for_all"] == "this"
    other = {"speed": np.array([None, (2,), None], dtype=object), "_speed": ~mask}
    merged = merged_infos(infos, other)
    assert [by_slot["speed"] for by_slot in infos_by_slot(merged, 3)] == [1.0, (2,), 3.0]
    again = merged_infos(inside, outside)
    np.testing.assert_array_equal(again["speed"], infos["speed"])
    np.testing.assert_array_equal(again["parts"]["left"], infos["parts"]["left"])


def test_is_exported() -> None:
    assert chiron.CurriculumVectorEnv is CurriculumVectorEnv
    assert issubclass(CurriculumVectorEnv, gym.vector.VectorEnv)

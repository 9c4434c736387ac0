from __future__ import annotations

from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from chiron.envs import StumpTracks, SyncTaskVectorEnv, long_episodes
from chiron.envs.env_info import EnvInfo, env_info
from chiron.envs.task_space import TaskSpace
from chiron.students import CurriculumVecEnv, NotFiniteError
from chiron.teachers import Curriculum, Episode, Random
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.countdown_env import CountdownEnv
from tests.students.probes import Always, Diary, Quiet

SLOTS = 8


def play(vec_env: CurriculumVecEnv, steps: int) -> None:
    vec_env.reset()
    for _ in range(steps):
        vec_env.step(np.zeros((vec_env.num_envs, 1), dtype=np.float32))


@pytest.fixture
def diary(countdown_space: TaskSpace) -> Diary:
    return Diary(countdown_space, seed=0)


@pytest.fixture
def vec_env(diary: Diary) -> CurriculumVecEnv:
    return CurriculumVecEnv([CountdownEnv] * SLOTS, Curriculum(diary, EnvInfo(diary.space), seed=1))


class TestAttribution:
    def test_every_result_is_credited_to_the_task_that_was_played(
        self, vec_env: CurriculumVecEnv, diary: Diary
    ) -> None:
        play(vec_env, 400)
        assert len(diary.results) > 100
        for result in diary.results:
            duration, worth = result.task
            assert result.length == int(np.ceil(duration))
            assert result.episode_return == pytest.approx(result.length * worth, rel=1e-5)
            assert result.success == (worth > 0)

    def test_slots_finish_in_many_orders(self, vec_env: CurriculumVecEnv) -> None:
        order: list[int] = []
        vec_env.curriculum.listeners.append(lambda episode: order.append(episode.slot))
        play(vec_env, 400)
        rounds = {tuple(order[i : i + SLOTS]) for i in range(0, 10 * SLOTS, SLOTS)}
        assert len(rounds) == 10

    def test_no_slot_is_reset_twice_per_episode(self, vec_env: CurriculumVecEnv) -> None:
        finished: Counter[int] = Counter()
        vec_env.curriculum.listeners.append(lambda episode: finished.update([episode.slot]))
        play(vec_env, 400)
        for slot, env in enumerate(vec_env.get_attr("unwrapped")):
            assert len(env.resets) == finished[slot] + 1

    def test_envs_are_reset_into_the_task_and_seed_that_were_assigned(
        self, vec_env: CurriculumVecEnv
    ) -> None:
        episodes: list[Episode] = []
        vec_env.curriculum.listeners.append(episodes.append)
        play(vec_env, 400)
        envs = vec_env.get_attr("unwrapped")
        seen: Counter[int] = Counter()
        for episode in episodes:
            task, seed = envs[episode.slot].resets[seen[episode.slot]]
            assert task == episode.task.tolist()
            assert seed == episode.seed
            seen[episode.slot] += 1

    def test_results_reach_the_teacher_before_it_is_asked_again(
        self, vec_env: CurriculumVecEnv, diary: Diary
    ) -> None:
        play(vec_env, 400)
        started, told = diary.events[:SLOTS], diary.events[SLOTS:]
        assert started == ["sample"] * SLOTS
        balance = 0
        for event in told:
            balance += 1 if event == "observe" else -1
            assert balance >= 0
        assert balance == 0


class TestStableBaselinesContract:
    def test_observations_after_an_end_belong_to_the_next_episode(self, vec_env: CurriculumVecEnv) -> None:
        vec_env.reset()
        for _ in range(50):
            before = [vec_env.curriculum.playing(slot).task for slot in range(SLOTS)]
            observations, _, dones, infos = vec_env.step(np.zeros((SLOTS, 1), dtype=np.float32))
            for slot in range(SLOTS):
                now = vec_env.curriculum.playing(slot).task
                assert np.asarray(observations)[slot, :2].tolist() == now.tolist()
                if dones[slot]:
                    assert infos[slot]["terminal_observation"][:2].tolist() == before[slot].tolist()
                    assert infos[slot]["TimeLimit.truncated"] is False
                    assert infos[slot]["task"].tolist() == before[slot].tolist()

    def test_callbacks_see_the_infos_of_the_envs(self) -> None:
        class Talkative(CountdownEnv):
            def step(self, action: Any) -> Any:
                *rest, info = super().step(action)
                return *rest, info | {"left": np.arange(self._left)}

        space = CountdownEnv().task_space
        vec_env = CurriculumVecEnv([Talkative] * 2, Curriculum(Random(space, seed=0), EnvInfo(space), seed=0))
        vec_env.reset()
        for _ in range(40):
            left = [env.unwrapped._left for env in vec_env.envs.envs]  # type: ignore[attr-defined]
            infos = vec_env.step(np.zeros((2, 1), dtype=np.float32))[3]
            assert [len(info["left"]) + 1 for info in infos] == left

    def test_truncation_is_distinguished_from_termination(self) -> None:
        space = StumpTracks.task_space()
        vec_env = CurriculumVecEnv(
            [lambda: _cut_after(StumpTracks(), 3)] * 2,
            Curriculum(Random(space, seed=0), EnvInfo(space), seed=0),
        )
        vec_env.reset()
        for _ in range(3):
            _, _, dones, infos = vec_env.step(np.zeros((2, 4), dtype=np.float32))
        assert dones.all()
        assert all(info["TimeLimit.truncated"] for info in infos)

    def test_same_rollouts_as_stock_sb3_where_there_is_one_task(self) -> None:
        """With a one-task curriculum and an env without randomness, PPO cannot tell the two apart."""
        space = CountdownEnv().task_space
        ours = CurriculumVecEnv([Quiet] * 4, Curriculum(Always(space), EnvInfo(space), seed=0))
        stock = DummyVecEnv([Quiet] * 4)
        weights = []
        for vec_env in (ours, stock):
            model = PPO("MlpPolicy", vec_env, n_steps=32, batch_size=64, seed=3, device="cpu")
            model.learn(256)
            weights.append(model.policy.state_dict())
        for name, tensor in weights[0].items():
            assert tensor.equal(weights[1][name]), name

    def test_teacher_sees_raw_returns_under_normalization(
        self, vec_env: CurriculumVecEnv, diary: Diary
    ) -> None:
        normalized = VecNormalize(vec_env)
        normalized.reset()
        for _ in range(60):
            normalized.step(np.zeros((SLOTS, 1), dtype=np.float32))
        assert diary.results
        for result in diary.results:
            assert result.episode_return == pytest.approx(result.length * result.task[1], rel=1e-5)

    def test_attributes_and_methods_of_envs_are_reached_by_slot(self, vec_env: CurriculumVecEnv) -> None:
        vec_env.set_attr("poison", 7.0, indices=[2])
        assert vec_env.get_attr("poison") == [None, None, 7.0] + [None] * 5
        assert vec_env.get_attr("poison", indices=2) == [7.0]
        assert vec_env.env_method("get_wrapper_attr", "return_range", indices=[0]) == [(0.0, 100.0)]
        assert vec_env.env_is_wrapped(gym.wrappers.TimeLimit) == [False] * SLOTS


class TestSeams:
    def test_takes_a_ready_vector_env(self, diary: Diary) -> None:
        envs = SyncTaskVectorEnv([CountdownEnv] * 3)
        vec_env = CurriculumVecEnv(envs, Curriculum(diary, EnvInfo(diary.space), seed=0))
        play(vec_env, 100)
        assert all(result.length == int(np.ceil(result.task[0])) for result in diary.results)

    def test_the_return_range_of_its_envs_scales_the_scores(self, countdown_space: TaskSpace) -> None:
        class Scaled(Diary):
            scales_returns = True

        teacher = Scaled(countdown_space, seed=0)
        curriculum = Curriculum(teacher, env_info(CountdownEnv()), seed=0)
        play(CurriculumVecEnv([CountdownEnv], curriculum), 200)
        for result in teacher.results:
            expected = np.clip(result.length * result.task[1] / 100, 0, 1)
            assert result.score == pytest.approx(expected, rel=1e-5)

    def test_refuses_envs_that_reset_themselves(self, diary: Diary) -> None:
        envs = SyncVectorEnv([CountdownEnv], autoreset_mode=AutoresetMode.NEXT_STEP)
        with pytest.raises(ValueError, match=r"autoreset_mode=AutoresetMode\.DISABLED"):
            CurriculumVecEnv(envs, Curriculum(diary, EnvInfo(diary.space)))

    def test_refuses_envs_with_other_tasks(self, diary: Diary) -> None:
        with pytest.raises(ValueError, match="stump_height"):
            CurriculumVecEnv([StumpTracks], Curriculum(diary, EnvInfo(diary.space)))

    def test_refuses_what_no_student_takes(self, diary: Diary) -> None:
        class Reads(CountdownEnv):
            def __init__(self) -> None:
                super().__init__()
                self.observation_space: Any = gym.spaces.Text(5)

        with pytest.raises(ValueError, match=r"observation space Text.*students take Box"):
            CurriculumVecEnv([Reads], Curriculum(diary, EnvInfo(diary.space)))

    def test_refuses_to_be_empty(self, diary: Diary) -> None:
        with pytest.raises(ValueError, match="at least one env"):
            CurriculumVecEnv([], Curriculum(diary, EnvInfo(diary.space)))


class EndlessEnv(CountdownEnv):
    """Never ends episodes whose task has a positive worth."""

    def step(self, action: Any) -> Any:
        self._left += self._worth > 0
        return super().step(action)


def test_an_episode_that_does_not_end_is_spoken_of(
    diary: Diary, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_episodes, "_LONG", 50)
    curriculum = Curriculum(diary, EnvInfo(diary.space), seed=1)
    play(CurriculumVecEnv([EndlessEnv] * SLOTS, curriculum), 210)
    assert len(caplog.messages) == 3
    assert all(f"after {n} steps" in said for n, said in zip((50, 100, 200), caplog.messages, strict=True))
    assert any(
        f"({diary.space.shown(episode.task)}) with seed {episode.seed}" in caplog.messages[0]
        for episode in map(curriculum.playing, range(SLOTS))
        if episode.task[1] > 0
    )


class TestNotFinite:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_action_is_refused_with_slot_step_and_task(self, vec_env: CurriculumVecEnv, value: float) -> None:
        play(vec_env, 2)
        actions = np.zeros((SLOTS, 1), dtype=np.float32)
        actions[5] = value
        with pytest.raises(NotFiniteError, match=r"action .* slot 5 .* step 16 .*duration=.*seed \d+"):
            vec_env.step(actions)

    def test_reward_is_refused_with_slot_step_and_task(self, vec_env: CurriculumVecEnv) -> None:
        play(vec_env, 2)
        vec_env.set_attr("poison", np.nan, indices=[3])
        with pytest.raises(NotFiniteError, match=r"reward nan of slot 3 .* step 24 .*duration="):
            vec_env.step(np.zeros((SLOTS, 1), dtype=np.float32))


def test_two_runs_play_the_same_episodes(countdown_space: TaskSpace) -> None:
    logs = []
    for _ in range(2):
        episodes: list[Episode] = []
        curriculum = Curriculum(Random(countdown_space, seed=0), EnvInfo(countdown_space), seed=0)
        curriculum.listeners.append(episodes.append)
        play(CurriculumVecEnv([CountdownEnv] * SLOTS, curriculum), 200)
        logs.append(
            [
                (e.slot, e.task.tolist(), e.seed, e.episode_return, e.length, e.step, e.success)
                for e in episodes
            ]
        )
    assert logs[0] == logs[1]


def _cut_after(env: StumpTracks, steps: int) -> StumpTracks:
    env.time_limit = steps  # type: ignore[misc]
    return env

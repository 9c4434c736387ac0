from __future__ import annotations

import json
import time
from typing import Any

import pytest
from chiron.envs.env_info import env_info
from chiron.students import CurriculumVecEnv
from chiron.students.curriculum_callback import CurriculumCallback
from chiron.students.speed_callback import SpeedCallback
from chiron.teachers import Curriculum, Random
from chiron.teachers.recent_episodes import RecentEpisodes
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger

from tests.countdown_env import CountdownEnv


class Memory(KVWriter):
    """Keeps logged values by step."""

    def __init__(self) -> None:
        self.values: dict[int, dict[str, Any]] = {}

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        self.values.setdefault(step, {}).update(key_values)

    def close(self) -> None:
        pass


def a_curriculum() -> Curriculum:
    info = env_info(CountdownEnv())
    return Curriculum(Random(info.task_space, 0), info, 0)


def learn(
    algorithm: type[BaseAlgorithm],
    curriculum: Curriculum,
    callback: BaseCallback,
    steps: int,
    **settings: Any,
) -> Memory:
    vec_env = CurriculumVecEnv([CountdownEnv] * 2, curriculum)
    model: Any = algorithm("MlpPolicy", vec_env, seed=0, **settings)
    memory = Memory()
    model.set_logger(Logger(None, [memory]))
    model.learn(steps, callback=callback)
    vec_env.close()
    return memory


@pytest.mark.medium
def test_on_policy_students_log_their_curriculum_at_every_rollout() -> None:
    curriculum = a_curriculum()
    callback = CurriculumCallback(curriculum, RecentEpisodes(curriculum))
    values = learn(PPO, curriculum, callback, 4_096, n_steps=1_024, n_epochs=1).values
    assert values[4_096]["curriculum/random_share"] == 1
    assert values[4_096]["curriculum/episodes"] == curriculum.episodes
    assert 1 < values[4_096]["curriculum/mean_duration"] < 30


def test_off_policy_students_do_not_log_it_every_few_steps() -> None:
    curriculum = a_curriculum()
    callback = CurriculumCallback(curriculum, RecentEpisodes(curriculum))
    values = learn(SAC, curriculum, callback, 5_000, learning_starts=10_000).values
    logged = [step for step, row in values.items() if "curriculum/episodes" in row]
    assert len(logged) == 2
    state = json.loads(json.dumps(callback.state_dict()))
    assert 4_000 <= state["recorded_at"] < 4_010
    resumed = CurriculumCallback(curriculum, callback.recent)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state


class Clockwork(BaseCallback):
    """Advances a clock between steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.clock = self.seconds = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.clock)

    def _on_step(self) -> bool:
        self.clock += 0.75  # playing
        if self.n_calls % 2:
            self.clock += 1.0
            self.seconds += 1.0
        return True

    def _on_rollout_end(self) -> None:
        self.clock += 4.0  # learning, after the callbacks before this one


def test_time_is_shared_between_playing_learning_and_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(monkeypatch)
    curriculum = a_curriculum()
    both: Any = [SpeedCallback(lambda: clockwork.seconds), clockwork]
    values = learn(PPO, curriculum, both, 16, n_steps=4, batch_size=8, n_epochs=1).values
    # A rollout is 4 steps: 3 seconds of playing, 2 of testing, and 4 of learning after it.
    assert {name: values[8][f"speed/{name}_percent"] for name in ("playing", "evaluation", "learning")} == (
        pytest.approx({"playing": 100 * 3 / 5, "evaluation": 100 * 2 / 5, "learning": 0})
    )
    assert values[16]["speed/learning_percent"] == pytest.approx(100 * 4 / 14)

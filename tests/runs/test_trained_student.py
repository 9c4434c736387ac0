"""A trained student plays as in training: with normalised observations and repeated actions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from chiron import load_student, make_run
from chiron.envs.point_mass import PointMass
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.evaluation.task_sets import uniform_tasks
from chiron.teachers import Random
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize


@pytest.mark.medium
def test_predict_plays_as_the_evaluation_and_as_model_txt_says(tmp_path: Path) -> None:
    run = make_run(
        PointMass,
        Random,
        partial(PPO, "MlpPolicy", n_steps=32),
        tmp_path / "run",
        action_repeat=3,
        vec_normalize={},
        n_envs=2,
        total_steps=64,
        evaluation={"every_steps": 64, "n_tasks": 2},
    )
    run.execute()
    evaluations = run.directory.read_evaluations()
    last = evaluations[evaluations["step"] == evaluations["step"].max()].iloc[0]
    student = load_student(tmp_path / "run")
    env = student.make_env()
    tasks = uniform_tasks(env.get_wrapper_attr("task_space"), 2, seed=0)
    with pytest.raises(ValueError, match="PPO takes no action_masks"):
        student.predict(env.reset(seed=0)[0], action_masks=np.ones(1, dtype=bool))

    usage = (tmp_path / "run" / "model.txt").read_text()
    assert "ActionRepeat(env, 3)" in usage
    assert "VecNormalize.load" in usage
    assert (tmp_path / "run" / "best" / "model.txt").read_text() == usage
    plain = ActionRepeat(PointMass(), 3)
    model = PPO.load(tmp_path / "run" / "model.zip", device="cpu")
    normalizer = VecNormalize.load(str(tmp_path / "run" / "vec_normalize.pkl"), DummyVecEnv([lambda: plain]))
    for played in (env, plain):
        observation, _ = played.reset(seed=tasks.seeds[0], options={"task": tasks.tasks[0]})
        total, state, is_over = 0.0, None, False
        while not is_over:
            if played is env:
                action, state = student.predict(observation, state)
            else:
                action, state = model.predict(normalizer.normalize_obs(observation), deterministic=True)
            observation, reward, terminated, truncated, _ = played.step(action)
            total, is_over = total + float(reward), terminated or truncated
        assert total == pytest.approx(last["return"], rel=1e-4)

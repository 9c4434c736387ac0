"""Policies act as with their algorithm, and are read from files without unpickling anything."""

from __future__ import annotations

import io
import pickle
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron.envs import SyncTaskVectorEnv
from chiron.evaluation.evaluate import evaluate
from chiron.evaluation.task_sets import uniform_tasks
from chiron.students.saved_student import load_student_model, read_tensors, save_student, saved_steps
from chiron.students.sb3_policy import SB3Policy
from chiron.students.sb3_student import SB3Adapter
from gymnasium import spaces
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import PPO, SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.students.spaces_env import ACTIONS, OBSERVATIONS, SpacesEnv

N_TASKS = 7


def recurrent() -> tuple[Any, Any]:
    make_env = partial(SpacesEnv, "discrete", "discrete")
    small = {"net_arch": [8], "lstm_hidden_size": 8}
    model = RecurrentPPO("MlpLstmPolicy", make_env(), seed=1, device="cpu", policy_kwargs=small)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.mul_(4)  # so that the recurrent state matters
    return model, make_env


def played(policy: Any, make_env: Any, slots: int) -> list[tuple[float, int]]:
    tasks = uniform_tasks(make_env().task_space, N_TASKS, seed=0)
    results = evaluate(policy, SyncTaskVectorEnv([make_env] * slots), tasks.tasks, tasks.seeds)
    return [(row.episode_return, row.length) for row in results]


def test_what_a_recurrent_policy_remembers_is_kept_for_each_episode() -> None:
    model, make_env = recurrent()

    def forgetful(observations: Any, episode_starts: Any) -> Any:
        return model.predict(observations, deterministic=True)[0]

    ways = [played(SB3Policy(model, make_env()), make_env, slots) for slots in (1, 3, N_TASKS)]
    assert ways[0] == ways[1] == ways[2]
    assert ways[0] != played(forgetful, make_env, N_TASKS)


@pytest.mark.parametrize("actions", ["discrete", "multi_discrete", "multi_binary"])
def test_masked_policies_choose_what_is_allowed(actions: str) -> None:
    allowed = []

    class Watched(SpacesEnv):
        def step(self, action: Any) -> Any:
            result = super().step(action)
            allowed.append(self.allowed)
            return result

    model = MaskablePPO("MlpPolicy", SpacesEnv("box", actions), seed=0, device="cpu")
    envs = SyncTaskVectorEnv([lambda: Watched("box", actions)] * 3)
    tasks = uniform_tasks(envs.envs[0].get_wrapper_attr("task_space"), N_TASKS, seed=0)
    evaluate(SB3Policy(model, envs), envs, tasks.tasks, tasks.seeds)
    assert len(allowed) > N_TASKS
    assert all(allowed)


def test_masked_policies_are_refused_where_nothing_is_masked() -> None:
    model = MaskablePPO("MlpPolicy", SpacesEnv("box", "discrete"), device="cpu")
    for envs in (gym.make("CartPole-v1"), SyncTaskVectorEnv([partial(gym.make, "CartPole-v1")])):
        with pytest.raises(ValueError, match=r"MaskablePPO needs an env with a method action_masks\(\)"):
            SB3Policy(model, envs)


@pytest.mark.parametrize("observations", ["box", "box64", "image", "dict", "discrete", "multi_binary"])
def test_one_env_gets_the_action_that_it_would_get_among_others(observations: str) -> None:
    env = SpacesEnv(observations, "discrete")
    model = PPO("MultiInputPolicy" if observations == "dict" else "MlpPolicy", env, seed=0, device="cpu")
    envs = SyncTaskVectorEnv([partial(SpacesEnv, observations, "discrete")] * 2)
    among = SB3Policy(model, envs)(envs.reset(seed=[3, 4])[0], np.ones(2, dtype=np.bool_))
    for seed, expected in zip((3, 4), among, strict=True):
        action = SB3Policy(model, env)(env.reset(seed=seed)[0], True)
        assert env.action_space.contains(action)
        assert {0: "", 1: "", 2: "", 3: ""}[action] == ""  # an int, as needed for lookups in a dict
        assert action == expected


@pytest.mark.parametrize(
    ("observations", "arguments", "remedy"),
    [
        ("discrete", {}, r"student\.vec_normalize=null"),
        ("multi_binary", {}, r"student\.vec_normalize=null"),
        ("dict", {}, r"choice.*\+student\.vec_normalize\.norm_obs_keys=\[numbers\]"),
        ("dict", {"norm_obs_keys": ["number"]}, r"'number' is None.*norm_obs_keys=\[numbers\]"),
    ],
)
def test_what_cannot_be_normalised_is_refused_with_its_remedy(
    observations: str, arguments: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ValueError, match=remedy):
        SB3Adapter(vec_normalize=arguments).normalized(DummyVecEnv([lambda: SpacesEnv(observations, "box")]))


def a_saved_student(folder: Path, observations: str = "box64") -> partial[Any]:
    """A saved student with some normalisation statistics."""
    vec_env = VecNormalize(DummyVecEnv([lambda: SpacesEnv(observations, "box")]), norm_reward=False)
    vec_env.reset()
    for _ in range(20):
        vec_env.step(np.ones((1, 2), np.float32))
    policy = "MlpPolicy" if observations == "box64" else "MultiInputPolicy"
    make = partial(SAC, policy, policy_kwargs={"net_arch": [8]}, buffer_size=50_000_000)
    model = make(env=vec_env, seed=0, device="cpu", buffer_size=10)
    model.num_timesteps = 123
    save_student(model, folder)
    return make


@pytest.mark.parametrize("observations", ["box64", "goals"])
def test_a_saved_student_is_read_without_unpickling_and_without_a_buffer(
    observations: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = a_saved_student(tmp_path, observations)
    env = SpacesEnv(observations, "box")
    stock = SAC.load(tmp_path / "model.zip", device="cpu")
    normalizer = VecNormalize.load(str(tmp_path / "vec_normalize.pkl"), DummyVecEnv([lambda: env]))
    seen = [env.reset(seed=seed)[0] for seed in range(5)]
    expected = [stock.predict(normalizer.normalize_obs(one), deterministic=True)[0] for one in seen]

    def never(*arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("something is unpickled")

    for module in (pickle, cloudpickle):
        for name in ("load", "loads"):
            monkeypatch.setattr(module, name, never)
    if observations == "goals":
        make = partial(make, replay_buffer_class=HerReplayBuffer, replay_buffer_kwargs={"n_sampled_goal": 2})
    spaces_of_it = OBSERVATIONS[observations], ACTIONS["box"]
    model = load_student_model(make, {"norm_reward": False}, *spaces_of_it, tmp_path)
    policy = SB3Policy(model, env)
    assert [policy(one).tolist() for one in seen] == [one.tolist() for one in expected]
    assert model.num_timesteps == 123
    assert model.replay_buffer.buffer_size == 1  # type: ignore[attr-defined]


def test_normalisation_is_part_of_a_student(tmp_path: Path) -> None:
    make = a_saved_student(tmp_path)
    load = partial(load_student_model, make, {}, OBSERVATIONS["box64"], ACTIONS["box"], tmp_path)
    file = tmp_path / "normalization.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"normalization\.npz is damaged"):
        load()
    file.unlink()
    with pytest.raises(
        ValueError, match=r"normalization\.npz is missing: this student was trained on normalised"
    ):
        load()
    a_saved_student(tmp_path)
    with pytest.raises(ValueError, match=r"statistics of other observations"):
        load_student_model(make, {}, spaces.Box(-1, 1, (4,)), ACTIONS["box"], tmp_path)


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with pytest.raises(ValueError, match="cannot be read"):
        read_tensors(path, "policy")
    path.write_bytes(b"PK no zip")
    with pytest.raises(ValueError, match="cannot be read"):
        saved_steps(path)
    with zipfile.ZipFile(path, "w") as archive:
        torch.save({"weight": print}, content := io.BytesIO())
        archive.writestr("policy.pth", content.getvalue())
        archive.writestr("data", "{}")
    with pytest.raises(ValueError, match=r"is damaged: policy\.pth in it holds no tensors"):
        read_tensors(path, "policy")
    with pytest.raises(ValueError, match="does not say how long"):
        saved_steps(path)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron.students.fast.fast_ppo import FastPPO
from chiron.students.fast.ppo_choices import PPOChoices
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.vec_env import VecNormalize

ENVS = ["Pendulum-v1", "CartPole-v1"]
"""Continuous actions and discrete actions."""


class FlattenedPendulum(gym.ObservationWrapper[Any, Any, Any]):
    """Observations of shape (3, 1)."""

    def __init__(self) -> None:
        super().__init__(gym.make("Pendulum-v1"))
        self.observation_space = gym.spaces.Box(-8, 8, (3, 1), np.float32)

    def observation(self, observation: Any) -> Any:
        return observation[:, None]


class DoublePendulum(gym.wrappers.TransformObservation[Any, Any, Any]):
    """Observations and actions in double precision, as in MuJoCo's envs."""

    def __init__(self) -> None:
        env = gym.make("Pendulum-v1")
        super().__init__(env, np.float64, gym.spaces.Box(-8, 8, (3,), np.float64))
        self.action_space = gym.spaces.Box(-2, 2, (1,), np.float64)


def trained(kind: type[PPO], env: Any, rollouts: int = 3, **settings: Any) -> Any:
    chosen = {"n_steps": 64, "batch_size": 128, "n_epochs": 3, "ent_coef": 0.01, **settings}
    model = kind("MlpPolicy", make_vec_env(env, 4, seed=0), seed=0, device="cpu", **chosen)
    model.learn(rollouts * 64 * 4)
    return model


def weights(model: PPO) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in model.policy.named_parameters()}


def assert_equal(stock: PPO, fast: PPO) -> None:
    for (name, expected), (_, got) in zip(weights(stock).items(), weights(fast).items(), strict=True):
        assert (got - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def test_double_precision_gives_the_run_of_stock_ppo() -> None:
    stock, fast = trained(PPO, DoublePendulum), trained(FastPPO, DoublePendulum)
    assert fast._update is not None
    assert_equal(stock, fast)


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size": 100},
        {"normalize_advantage": False, "ent_coef": 0.0},
        {"policy_kwargs": {"net_arch": [32]}, "max_grad_norm": 0.01},
        {"policy_kwargs": {"net_arch": [16, 24, 8]}, "clip_range": 0.02, "learning_rate": 1e-3},
    ],
    ids=["defaults", "a shorter last minibatch", "bare", "one layer, clipped", "three layers"],
)
@pytest.mark.medium
@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size:UserWarning")
def test_the_same_seed_gives_the_run_of_stock_ppo(env: str, settings: dict[str, Any]) -> None:
    stock = trained(PPO, env, **settings)
    fast = trained(FastPPO, env, **settings)
    assert fast._update is not None
    assert_equal(stock, fast)
    for name, expected in stock.logger.name_to_value.items():
        if name.startswith("train/"):
            assert fast.logger.name_to_value[name] == pytest.approx(expected, rel=1e-3, abs=1e-6), name


def test_observations_of_other_shapes_are_flattened() -> None:
    stock, fast = trained(PPO, FlattenedPendulum), trained(FastPPO, FlattenedPendulum)
    assert fast._update is not None
    assert_equal(stock, fast)


@pytest.mark.parametrize(
    "settings",
    [
        {"clip_range_vf": 0.2},
        {"target_kl": 0.02},
        {"use_sde": True},
        {"policy_kwargs": {"activation_fn": torch.nn.ReLU}},
        {"policy_kwargs": {"net_arch": {"pi": [8], "vf": [16]}}},
        {"policy_kwargs": {"net_arch": []}},
    ],
    ids=lambda settings: str(next(iter(settings))),
)
def test_what_is_not_written_out_is_stock_ppos_own(settings: dict[str, Any]) -> None:
    stock, fast = trained(PPO, "Pendulum-v1", 1, **settings), trained(FastPPO, "Pendulum-v1", 1, **settings)
    assert fast._update is None
    assert all(
        torch.equal(a, b) for a, b in zip(weights(stock).values(), weights(fast).values(), strict=True)
    )


@pytest.mark.parametrize(("saved", "loaded"), [(PPO, FastPPO), (FastPPO, PPO), (FastPPO, FastPPO)])
def test_a_model_saved_by_either_goes_on_in_the_other(
    saved: type[PPO], loaded: type[PPO], tmp_path: Path
) -> None:
    model = trained(saved, "Pendulum-v1")
    model.save(tmp_path / "model")
    goes_on = loaded.load(tmp_path / "model", env=model.get_env(), device="cpu")
    again = PPO.load(tmp_path / "model", env=model.get_env(), device="cpu")
    for student in (again, goes_on):
        student.get_env().seed(1)  # type: ignore[union-attr]
        student.set_random_seed(1)
        student.learn(512, reset_num_timesteps=False)
    assert_equal(again, goes_on)


def test_files_hold_what_those_of_stock_ppo_do(tmp_path: Path) -> None:
    held = []
    for kind in (PPO, FastPPO):
        trained(kind, "Pendulum-v1", 1).save(tmp_path / kind.__name__)
        data, _, _ = load_from_zip_file(tmp_path / kind.__name__)
        held.append(set(data or {}))
    assert held[0] == held[1]


def test_loading_into_a_model_that_has_trained_is_not_lost(tmp_path: Path) -> None:
    model = trained(FastPPO, "Pendulum-v1")
    before = {name: value.clone() for name, value in weights(model).items()}
    model.save(tmp_path / "model")
    model.learn(256)
    model.set_parameters(str(tmp_path / "model"), device="cpu")
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())
    model.learn(256)
    assert not torch.equal(before["value_net.weight"], weights(model)["value_net.weight"])


def test_normalised_observations_and_rewards_learn_alike() -> None:
    models = []
    for kind in (PPO, FastPPO):
        env = VecNormalize(make_vec_env("Pendulum-v1", 4, seed=0))
        model = kind("MlpPolicy", env, n_steps=64, batch_size=64, n_epochs=2, seed=0, device="cpu")
        models.append(model.learn(512))
    assert_equal(*models)


@pytest.mark.parametrize("deterministic", [False, True])
def test_choices_are_those_of_stock_policies(deterministic: bool) -> None:
    policy = trained(PPO, "Pendulum-v1", 1, policy_kwargs={"net_arch": [16, 24]}).policy
    observations = torch.linspace(-2, 2, 21).reshape(7, 3)
    given = []
    for choose in (policy, PPOChoices(policy)):
        torch.manual_seed(0)
        with torch.no_grad():
            given.append(choose(observations, deterministic))
    for expected, got in zip(*given, strict=True):
        assert torch.equal(expected, got)


def test_policies_choose_as_their_class_does_between_rollouts() -> None:
    model = trained(FastPPO, "Pendulum-v1", 1)
    assert "forward" not in vars(model.policy)


class TestMasking:
    """Learning from part of a rollout."""

    SETTINGS: Mapping[str, Mapping[str, Any]] = {"written out": {}, "stock": {"clip_range_vf": 10.0}}

    @staticmethod
    def with_a_rollout(**settings: Any) -> Any:
        """A model that has just filled its buffer."""
        model = trained(FastPPO, "Pendulum-v1", 1, batch_size=256, **settings)
        callback = model._init_callback(None)
        assert model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
        return model

    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_what_is_masked_has_no_influence(self, settings: dict[str, Any]) -> None:
        mask = np.random.default_rng(0).random((64, 4)) < 0.5
        learned = []
        for falsify in (False, True):
            model = self.with_a_rollout(**settings)
            before = {name: value.clone() for name, value in weights(model).items()}
            if falsify:
                buffer = model.rollout_buffer
                for array in (buffer.observations, buffer.actions, buffer.advantages, buffer.returns):
                    array[~mask] = 1e3
            model.learns_from = mask
            torch.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002 (what Stable-Baselines3's buffers draw from)
            model.train()
            learned.append(weights(model))
            assert any(not torch.equal(before[name], value) for name, value in learned[-1].items())
            assert model.learns_from is None
        assert all(torch.equal(one, other) for one, other in zip(*map(dict.values, learned), strict=True))

    def test_both_ways_learn_alike(self) -> None:
        mask = np.random.default_rng(0).random((64, 4)) < 0.5
        models = [self.with_a_rollout() for _ in range(2)]
        models[1].__dict__["_can_be_written_out"] = lambda: False
        for model in models:
            model.learns_from = mask
            model.train()
        assert (models[0]._update is not None, models[1]._n_updates) == (True, models[0]._n_updates)
        assert_equal(*models)

    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_nothing_is_learned_from_nothing(self, settings: dict[str, Any]) -> None:
        model = self.with_a_rollout(**settings)
        before = {name: value.clone() for name, value in weights(model).items()}
        model.learns_from = np.zeros((64, 4), np.bool_)
        model.train()
        assert all(torch.equal(before[name], value) for name, value in weights(model).items())

    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_a_mask_that_lets_everything_through_changes_nothing(self, settings: dict[str, Any]) -> None:
        models = [self.with_a_rollout(**settings) for _ in range(2)]
        models[0].learns_from = np.ones((64, 4), np.bool_)
        for model in models:
            np.random.seed(0)  # noqa: NPY002
            model.train()
        assert all(torch.equal(*pair) for pair in zip(*(weights(m).values() for m in models), strict=True))

"""How configurations express arguments that YAML cannot."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from chiron.conf.build import build
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from torch import nn, optim

NOISE = "stable_baselines3.common.noise.NormalActionNoise"


def arguments(algorithm: str = "SAC", **given: Any) -> dict[str, Any]:
    keywords = build({"_target_": f"stable_baselines3.{algorithm}", "policy": "MlpPolicy", **given}).keywords
    return {key: keywords[key] for key in given}


def test_lists_become_tuples_where_these_are_asked_for() -> None:
    made = arguments(train_freq=[1, "episode"], policy_kwargs={"optimizer_kwargs": {"betas": [0.9, 0.99]}})
    assert made["train_freq"] == (1, "episode")
    assert made["policy_kwargs"]["optimizer_kwargs"]["betas"] == (0.9, 0.99)
    assert arguments(policy_kwargs={"net_arch": [64, 64]})["policy_kwargs"]["net_arch"] == [64, 64]


def test_classes_are_named_by_their_import_path() -> None:
    kwargs = {"activation_fn": "torch.nn.ReLU", "optimizer_class": "torch.optim.AdamW"}
    assert arguments("PPO", policy_kwargs=kwargs)["policy_kwargs"] == {
        "activation_fn": nn.ReLU,
        "optimizer_class": optim.AdamW,
    }
    buffer = "stable_baselines3.HerReplayBuffer"
    assert arguments(replay_buffer_class=buffer) == {"replay_buffer_class": HerReplayBuffer}


def test_schedules_as_in_rl_zoo() -> None:
    schedule = arguments("PPO", learning_rate="lin_3e-4")["learning_rate"]
    assert [schedule(progress) for progress in (1.0, 0.5, 0.0)] == pytest.approx([3e-4, 1.5e-4, 0.0])


def test_whole_numbers_may_be_written_as_powers_of_ten() -> None:
    made = arguments(buffer_size=1e5, learning_rate=1)
    assert made == {"buffer_size": 100_000, "learning_rate": 1}
    assert isinstance(made["buffer_size"], int)


def test_objects_are_built_where_they_are_nested() -> None:
    noise = arguments(action_noise={"_target_": NOISE, "mean": [0, 0], "sigma": [0.1, 0.2]})["action_noise"]
    assert isinstance(noise, NormalActionNoise)
    assert isinstance(noise._sigma, np.ndarray)
    partial = build({"_target_": "builtins.dict", "made": {"_target_": NOISE, "_partial_": True}})
    assert partial.keywords["made"].func is NormalActionNoise
    positional = build(
        {"_target_": "builtins.dict", "made": {"_target_": "builtins.divmod", "_args_": [7, 2]}}
    )
    assert positional.keywords["made"] == (3, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"policy_kwargs": {"activation_fn": "torch.nn.Relu"}}, "policy_kwargs.activation_fn=torch.nn.Relu"),
        ({"policy_kwargs": {"activation": "torch.nn.ReLU"}}, "unknown key 'policy_kwargs.activation'"),
        ({"policy_kwargs": "dict(net_arch=[64])"}, "policy_kwargs=dict(net_arch=[64]) must be a dict"),
        ({"replay_buffer_class": "HerReplayBuffer"}, "must be the import path of a class or null"),
        ({"replay_buffer_class": "os.getcwd"}, "must be the import path of a class or null"),
        ({"train_freq": "episode"}, "train_freq=episode must be a whole number or a list"),
        ({"gradient_steps": 1.5}, "gradient_steps=1.5 must be a whole number"),
        ({"gradient_steps": True}, "gradient_steps=true must be a whole number"),
        ({"learning_rate": "lin_"}, "lin_3e-4 for a linear schedule"),
        ({"learning_rate": "quick"}, "learning_rate=quick must be a number or the import path of a function"),
        ({"action_noise": "normal"}, "action_noise=normal must be a ActionNoise, by _target_"),
        (
            {"action_noise": {"_target_": NOISE, "mean": 0.1, "sigma": [1]}},
            "action_noise.mean=0.1 must be a list",
        ),
        ({"action_noise": {"_target_": "no.Noise"}}, "action_noise._target_=no.Noise cannot be imported"),
        ({"action_noise": {"_target_": NOISE, "x": "a"}}, "unknown key 'action_noise.x'"),
        ({"noise_std": 0.1}, "unknown key 'noise_std'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        arguments(**given)

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron.envs.env_info import env_info
from chiron.students import CurriculumVecEnv, FastSAC
from chiron.students.fast import dense_layers, device_replay_buffer
from chiron.students.fast.captured import Captured
from chiron.students.fast.dense_layers import Layer
from chiron.students.fast.device_replay_buffer import DeviceReplayBuffer
from chiron.students.training_state import TrainingState
from chiron.teachers import Curriculum, Random
from gymnasium import spaces
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from stable_baselines3.her import HerReplayBuffer
from torch import Tensor

from tests.countdown_env import CountdownEnv
from tests.gpu import needs_gpu

OBSERVATIONS, ACTIONS, N_ENVS, STORED = 5, 3, 2, 60
UPDATES = 10


class Still(gym.Env[Any, Any]):
    """An env of which only the spaces matter."""

    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVATIONS,), np.float32)
    action_space = spaces.Box(-1, 1, (ACTIONS,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return np.zeros(OBSERVATIONS, dtype=np.float32), {}


class Target(gym.Env[Any, Any]):
    """One step; the reward is highest for one action."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Box(-2, 2, (1,), np.float32)
    best = 1.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, dtype=np.float32), -float((action[0] - self.best) ** 2), True, False, {}


class Recorder(KVWriter):
    """Keeps logged values."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []

    def write(self, key_values: dict[str, Any], key_excluded: Any, step: int = 0) -> None:
        self.values.append(dict(key_values))

    def close(self) -> None:
        pass


def filled(kind: type[SAC], device: str = "cpu", **settings: Any) -> SAC:
    """A model whose replay buffer holds random transitions, including terminations and time limits."""
    vec_env = DummyVecEnv([Still] * N_ENVS)
    settings = {"batch_size": 32, "policy_kwargs": {"net_arch": [70, 80]}, "learning_rate": 1e-3, **settings}
    model = kind("MlpPolicy", vec_env, seed=3, device=device, buffer_size=STORED * N_ENVS, **settings)
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(0)
    assert model.replay_buffer is not None
    for _ in range(STORED * 3 // 2):
        obs, next_obs = rng.standard_normal((2, N_ENVS, OBSERVATIONS)).astype(np.float32)
        actions = rng.uniform(-1, 1, (N_ENVS, ACTIONS)).astype(np.float32)
        dones = rng.random(N_ENVS) < 0.3
        infos = [{"TimeLimit.truncated": bool(done and rng.random() < 0.5)} for done in dones]
        model.replay_buffer.add(obs, next_obs, actions, rng.standard_normal(N_ENVS), dones, infos)
    return model


def seeded_train(model: SAC, updates: int = UPDATES) -> None:
    np.random.seed(1)  # noqa: NPY002 (Stable-Baselines3 draws minibatches from it)
    torch.manual_seed(1)
    model.train(updates, model.batch_size)


def to_double(model: SAC) -> None:
    """Let a model compute in float64, where rounding is negligible."""
    model.policy.double()
    if model.log_ent_coef is not None:
        model.log_ent_coef.data = model.log_ent_coef.data.double()
    else:
        model.ent_coef_tensor = model.ent_coef_tensor.double()
    buffer: Any = model.replay_buffer
    if isinstance(buffer, DeviceReplayBuffer):
        draw = buffer.draw

        def draw_double(n: int, normalize: bool) -> device_replay_buffer.Minibatch:
            drawn = draw(n, normalize)
            return dataclasses.replace(drawn, rows=drawn.rows.double())

        buffer.draw = draw_double  # type: ignore[method-assign]
    else:
        sample = buffer.sample

        def sample_double(n: int, env: Any = None) -> ReplayBufferSamples:
            return ReplayBufferSamples(*(part.double() for part in sample(n, env)[:5]))

        buffer.sample = sample_double
    for network in (model.actor, model.critic, model.critic_target):
        patched: Any = network
        patched.extract_features = lambda obs, extractor: extractor(obs)


def numbers(model: SAC) -> Iterator[tuple[str, Tensor]]:
    """All trained values, by name."""
    yield from ((name, value.detach()) for name, value in model.policy.named_parameters())
    if model.log_ent_coef is not None:
        yield "log_ent_coef", model.log_ent_coef.detach()


def assert_close(model: SAC, other: SAC, *, rtol: float, atol: float) -> None:
    for (name, value), (_, expected) in zip(numbers(model), numbers(other), strict=True):
        torch.testing.assert_close(value, expected, rtol=rtol, atol=atol, msg=partial("{}: {}".format, name))


def distance(model: SAC, other: SAC) -> float:
    """Largest relative difference of any weight or bias vector."""
    pairs = zip(numbers(model), numbers(other), strict=True)
    return max(float((a - b).norm() / b.norm()) for (_, a), (_, b) in pairs)


SETTINGS: dict[str, dict[str, Any]] = {
    "fixed entropy": {"ent_coef": 0.005},
    "learned entropy": {"ent_coef": "auto_0.1"},
    "rare target updates, three critics": {"target_update_interval": 3, "policy_kwargs": {"n_critics": 3}},
    "other networks": {
        "policy_kwargs": {"net_arch": {"pi": [], "qf": [20]}, "share_features_extractor": True}
    },
    "other Adam": {"policy_kwargs": {"optimizer_kwargs": {"weight_decay": 0.1, "amsgrad": True}}},
    "falling learning rate": {"learning_rate": LinearSchedule(1e-2, 1e-4, 0.5)},
}


class TestSameAsStock:
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    def test_ten_updates_agree_in_every_number(self, settings: dict[str, Any]) -> None:
        models = [filled(kind, **settings) for kind in (FastSAC, SAC)]
        for model in models:
            to_double(model)
            model._current_progress_remaining = 0.7
            seeded_train(model)
        assert_close(*models, rtol=1e-5, atol=0.0)
        for model in models:
            model.gamma, model.tau = 0.5, 0.3
            seeded_train(model)
        assert_close(*models, rtol=1e-5, atol=0.0)

    @pytest.mark.parametrize("ent_coef", [0.005, "auto"])
    @pytest.mark.parametrize("through_onednn", [True, False])
    def test_float32_is_as_close_to_the_truth_as_stock(
        self, ent_coef: Any, through_onednn: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if through_onednn and dense_layers.onednn is None:
            pytest.skip("this build of torch has no fused product")
        if not through_onednn:
            monkeypatch.setattr(dense_layers, "onednn", None)
        fast, stock, truth = (filled(kind, ent_coef=ent_coef) for kind in (FastSAC, SAC, SAC))
        for model in (fast, stock):
            seeded_train(model)
        # The same noise in both precisions: float64 would draw other numbers.
        to_double(truth)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "torch.distributions.normal._standard_normal",
                lambda shape, dtype, device: torch.normal(torch.zeros(shape), torch.ones(shape)).to(dtype),
            )
            seeded_train(truth)
        assert distance(fast, stock) < 1e-5
        assert distance(fast, truth) < 2 * distance(stock, truth) + 1e-6

    @pytest.mark.medium
    @pytest.mark.parametrize("normalized", [pytest.param(False, marks=pytest.mark.slow), True])
    def test_learning_from_the_same_seed_is_the_same_run(self, normalized: bool) -> None:
        models, logs = [], []
        for kind in (FastSAC, SAC):
            vec_env: Any = make_vec_env("Pendulum-v1", n_envs=2, seed=0)
            if normalized:
                vec_env = VecNormalize(vec_env, clip_obs=1.5, clip_reward=0.5)
            model = kind(
                "MlpPolicy",
                vec_env,
                seed=0,
                learning_starts=100,
                train_freq=3,
                gradient_steps=-1,
                batch_size=64,
                buffer_size=350,
                action_noise=NormalActionNoise(np.zeros(1), np.full(1, 0.1)),
                policy_kwargs={"net_arch": [32, 32]},
                device="cpu",  # on a GPU, FastSAC draws its own minibatches
            )
            recorder = Recorder()
            model.set_logger(Logger(None, [recorder]))
            models.append(model.learn(420, log_interval=2))
            logs.append(recorder.values[-1])
        assert_close(*models, rtol=1e-2, atol=1e-4)
        fast, stock = logs
        assert fast.keys() == stock.keys()
        same = ("train/learning_rate", "train/n_updates", "rollout/ep_len_mean", "time/total_timesteps")
        assert {key: fast[key] for key in same} == {key: stock[key] for key in same}
        assert fast["rollout/ep_rew_mean"] == pytest.approx(stock["rollout/ep_rew_mean"], rel=1e-3)

    @pytest.mark.parametrize("ent_coef", [0.2, "auto"])
    def test_statistics_are_the_means_that_stock_records(self, ent_coef: Any) -> None:
        fast, stock = (filled(kind, ent_coef=ent_coef) for kind in (FastSAC, SAC))
        for model in (fast, stock):
            seeded_train(model)
        assert isinstance(fast, FastSAC)
        fast._record_statistics()
        recorded, expected = fast.logger.name_to_value, stock.logger.name_to_value
        assert recorded.keys() == expected.keys()
        assert recorded == pytest.approx(expected, rel=1e-4)

    def test_sampling_is_the_same_from_the_same_seed(self) -> None:
        drawn = []
        for kind in (FastSAC, SAC):
            buffer = filled(kind).replay_buffer
            assert buffer is not None
            np.random.seed(5)  # noqa: NPY002
            drawn.append(buffer.sample(50))
        for fast, stock in zip(*(sample[:5] for sample in drawn), strict=True):
            assert torch.equal(fast, stock)


class TestFiles:
    @pytest.mark.parametrize("ent_coef", [0.005, "auto"])
    @pytest.mark.parametrize(("writer", "reader"), [(FastSAC, SAC), (SAC, FastSAC), (FastSAC, FastSAC)])
    def test_training_goes_on_from_the_others_file(
        self, writer: type[SAC], reader: type[SAC], ent_coef: Any, tmp_path: Path
    ) -> None:
        first = filled(writer, ent_coef=ent_coef)
        seeded_train(first)
        first.save(tmp_path / "model")
        first.save_replay_buffer(tmp_path / "buffer")
        second = reader.load(tmp_path / "model", first.get_env(), device="cpu")
        second.load_replay_buffer(tmp_path / "buffer")
        second.set_logger(Logger(None, []))
        assert_close(second, first, rtol=0.0, atol=0.0)
        for name, optimizer in first.get_parameters().items():
            if name != "policy":
                assert optimizer["param_groups"] == second.get_parameters()[name]["param_groups"]
        for model in (first, second):
            seeded_train(model)
        assert second._n_updates == 2 * UPDATES
        assert_close(second, first, rtol=1e-3, atol=1e-5)

    def test_an_optimizer_is_saved_as_stock_saves_it(self) -> None:
        groups = []
        for kind in (FastSAC, SAC):
            model = filled(kind, policy_kwargs={"optimizer_kwargs": {"fused": True, "eps": 1e-5}})
            seeded_train(model)
            groups.append(model.get_parameters()["critic.optimizer"]["param_groups"])
        assert groups[0] == groups[1]

    def test_parameters_are_put_into_a_model_that_has_trained(self) -> None:
        fast, stock = filled(FastSAC, ent_coef=0.005), filled(SAC, ent_coef=0.005)
        for model in (fast, stock):
            seeded_train(model)
        seeded_train(fast)
        parameters: dict[str, Any] = copy.deepcopy(stock.get_parameters())
        fast.set_parameters(parameters, device="cpu")
        assert_close(fast, stock, rtol=0.0, atol=0.0)
        for model in (fast, stock):
            seeded_train(model, 1)
        assert_close(fast, stock, rtol=1e-3, atol=1e-6)

    def test_a_replay_buffer_of_another_size_is_refused(self, tmp_path: Path) -> None:
        filled(SAC).save_replay_buffer(tmp_path / "buffer")
        other = FastSAC("MlpPolicy", DummyVecEnv([Still]), buffer_size=1000, device="cpu")
        with pytest.raises(
            ValueError, match=r"has \(steps, environments\) \(60, 2\), this one has \(1000, 1\)"
        ):
            other.load_replay_buffer(tmp_path / "buffer")


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"use_sde": True}, "use_sde=True is nothing FastSAC can do: it must be False"),
            ({"n_steps": 3}, "n_steps=3"),
            ({"optimize_memory_usage": True}, "optimize_memory_usage=True"),
            ({"replay_buffer_class": HerReplayBuffer}, "replay_buffer_class=HerReplayBuffer"),
            ({"replay_buffer_kwargs": {"goals": 4}}, r"replay_buffer_kwargs=\['goals'\]"),
            ({"policy_kwargs": {"activation_fn": torch.nn.Tanh}}, "activation_fn=Tanh .* must be ReLU"),
            ({"policy_kwargs": {"optimizer_class": torch.optim.AdamW}}, "optimizer_class=AdamW"),
            ({"policy": "CnnPolicy"}, "policy=CnnPolicy .* must be 'MlpPolicy'"),
            ({"policy": "MultiInputPolicy"}, "policy=MultiInputPolicy"),
            (
                {"buffer_size": 101, "batch_size": 102},
                "batch_size=102 must be at most the 101 transitions that buffer_size=101 holds of 1",
            ),
        ],
    )
    def test_what_cannot_be_captured_is_refused_by_name(self, settings: dict[str, Any], message: str) -> None:
        arguments = {"policy": "MlpPolicy", "env": Still(), "device": "cpu", **settings}
        with pytest.raises(ValueError, match=message):
            FastSAC(**arguments)

    def test_observations_other_than_floats_are_refused(self) -> None:
        world: Any = Still()
        world.observation_space = spaces.Box(0, 255, (4,), np.uint8)
        with pytest.raises(ValueError, match="Box of floats as observation space"):
            FastSAC("MlpPolicy", world, device="cpu")

    def test_a_buffer_larger_than_the_devices_memory_is_refused_with_what_would_fit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bytes_per_row = 4 * (2 * OBSERVATIONS + ACTIONS + 2)
        monkeypatch.setattr(device_replay_buffer, "_free_bytes", lambda device: 700 * bytes_per_row + 1)
        FastSAC("MlpPolicy", Still(), buffer_size=700, device="cpu")
        with pytest.raises(ValueError, match=r"buffer_size=701 needs .* buffer_size=700 would fit"):
            FastSAC("MlpPolicy", Still(), buffer_size=701, device="cpu")

    def test_a_file_of_another_replay_buffer_is_refused(self, tmp_path: Path) -> None:
        TD3("MlpPolicy", Still(), n_steps=2, buffer_size=500).save_replay_buffer(tmp_path / "buffer")
        fast = FastSAC("MlpPolicy", Still(), buffer_size=500, device="cpu")
        with pytest.raises(ValueError, match="not NStepReplayBuffer"):
            fast.load_replay_buffer(tmp_path / "buffer")


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    models = [filled(FastSAC) for _ in range(2)]
    for model in models:
        seeded_train(model)
    assert_close(*models, rtol=0.0, atol=0.0)
    seeded_train(models[0], 1)
    with pytest.raises(AssertionError):
        assert_close(*models, rtol=0.0, atol=0.0)


@pytest.mark.slow
def test_finds_the_best_action() -> None:
    settings: dict[str, Any] = {"policy_kwargs": {"net_arch": [32]}, "learning_rate": 1e-2, "ent_coef": 0.01}
    model = FastSAC("MlpPolicy", Target(), seed=0, device="cpu", batch_size=64, buffer_size=500, **settings)
    model.learn(700)
    action, _ = model.predict(np.zeros(1, dtype=np.float32), deterministic=True)
    assert action[0] == pytest.approx(Target.best, abs=0.15)


def test_learns_from_a_curriculum() -> None:
    info = env_info(CountdownEnv())
    curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=0)
    vec_env = CurriculumVecEnv([CountdownEnv] * 4, curriculum)
    model = FastSAC("MlpPolicy", vec_env, seed=0, device="cpu", batch_size=32, buffer_size=2000, train_freq=4)
    recorder = Recorder()
    model.set_logger(Logger(None, [recorder]))
    model.learn(600)
    assert curriculum.episodes > 10
    names = ("actor_loss", "critic_loss", "ent_coef", "ent_coef_loss", "learning_rate", "n_updates")
    assert {f"train/{name}" for name in names} <= recorder.values[-1].keys()
    assert all(np.isfinite(recorder.values[-1][f"train/{name}"]) for name in names)


def test_buffers_become_each_other(countdown_space: Any) -> None:
    buffer = filled(FastSAC).replay_buffer
    assert isinstance(buffer, DeviceReplayBuffer)
    stock = buffer.as_stock()
    assert type(stock) is ReplayBuffer
    assert (stock.pos, stock.full) == (STORED // 2, True)
    other = DeviceReplayBuffer(
        STORED * N_ENVS, Still.observation_space, Still.action_space, "cpu", n_envs=N_ENVS
    )
    other.take(stock)
    assert torch.equal(other._rows, buffer._rows)


def weight_gradients(layers: Sequence[Layer], values: list[Tensor], behind: Tensor) -> list[Layer]:
    gradients = dense_layers.gradients_behind(layers, values, behind)
    return [dense_layers.weight_gradient(*pair) for pair in zip(gradients, values, strict=False)]


class TestDenseLayers:
    def test_gradients_are_autograds(self) -> None:
        torch.manual_seed(0)
        linears = [torch.nn.Linear(*sizes) for sizes in ((6, 70), (70, 90), (90, 2))]
        x = torch.randn(100, 6, requires_grad=True)
        out = linears[2](linears[1](linears[0](x).relu()).relu())
        out.backward(behind := torch.randn_like(out))
        layers = [(layer.weight, layer.bias) for layer in linears]
        with torch.no_grad():
            values = dense_layers.forward(layers, x)
            gradients = weight_gradients(layers, values, behind)
            of_inputs = dense_layers.input_gradient(layers, values, behind, slice(2, 5))
        torch.testing.assert_close(values[-1], out)
        assert x.grad is not None
        torch.testing.assert_close(of_inputs, x.grad[:, 2:5])
        for layer, (weight, bias) in zip(linears, gradients, strict=True):
            torch.testing.assert_close(weight, layer.weight.grad)
            torch.testing.assert_close(bias, layer.bias.grad)

    @pytest.mark.parametrize("sizes", [(1, 70, 1), (70, 1, 70), (80, 70, 8)])
    def test_gradients_lie_in_memory_as_weights_do(self, sizes: tuple[int, ...]) -> None:
        layers = [(torch.randn(n_out, n_in), torch.randn(n_out)) for n_in, n_out in pairwise(sizes)]
        # Inputs are columns of wider rows, as in minibatches.
        values = dense_layers.forward(layers, torch.randn(100, 200)[:, : sizes[0]])
        gradients = weight_gradients(layers, values, torch.randn(100, sizes[-1]))
        for layer, of_layer in zip(layers, gradients, strict=True):
            assert [part.stride() for part in of_layer] == [part.stride() for part in layer]


@pytest.mark.parametrize("ent_coef", [0.005, "auto"])
@pytest.mark.parametrize("normalized", [False, True])
def test_a_gradient_step_on_a_device_asks_it_for_no_value(
    normalized: bool, ent_coef: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tensors on the meta device have no values: reading one is an error. Adam does not support the device.
    for module in ("base_class", "buffers"):
        monkeypatch.setattr(
            f"stable_baselines3.common.{module}.get_device", lambda device: torch.device("meta")
        )
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: None)
    model = filled(FastSAC, "meta", ent_coef=ent_coef)
    assert isinstance(model, FastSAC)
    if normalized:
        model._vec_normalize_env = VecNormalize(DummyVecEnv([Still] * N_ENVS))
    model.train(UPDATES, model.batch_size)
    assert model.replay_buffer.draw(7, normalized).rows.device.type == "meta"
    with pytest.raises(NotImplementedError, match="meta"):
        model._record_statistics()


def test_what_is_to_be_logged_is_part_of_the_training_state() -> None:
    model, other = filled(FastSAC), filled(FastSAC)
    seeded_train(model, 3)
    TrainingState(other).load_state_dict(TrainingState(model).state_dict())
    logged = []
    for each in (model, other):
        assert isinstance(each, FastSAC)
        each._record_statistics()
        logged.append(
            {name: each.logger.name_to_value[name] for name in ("train/actor_loss", "train/ent_coef")}
        )
    assert logged[0] == logged[1]
    assert logged[0]["train/ent_coef"] > 0


@needs_gpu
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True")
class TestOnGPU:
    @pytest.mark.parametrize("ent_coef", [0.005, "auto"])
    def test_captured_updates_are_the_uncaptured_ones(
        self, ent_coef: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        captured = filled(FastSAC, "cuda", ent_coef=ent_coef, target_update_interval=2)
        seeded_train(captured, 20)
        assert isinstance(captured, FastSAC)
        assert all(step._graph is not None for step in captured._steps.values())
        monkeypatch.setattr(Captured, "__call__", lambda self: self._function())
        uncaptured = filled(FastSAC, "cuda", ent_coef=ent_coef, target_update_interval=2)
        seeded_train(uncaptured, 20)
        assert_close(captured, uncaptured, rtol=1e-4, atol=1e-6)

    def test_a_captured_update_sees_the_buffer_grow_and_the_learning_rate_fall(self) -> None:
        model = filled(FastSAC, "cuda", learning_rate=LinearSchedule(1e-3, 0.0, 1.0))
        seeded_train(model)
        model._current_progress_remaining = 0.0
        before = [value.clone() for name, value in numbers(model) if "target" not in name]
        seeded_train(model)
        after = [value for name, value in numbers(model) if "target" not in name]
        assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
        buffer = model.replay_buffer
        assert isinstance(buffer, DeviceReplayBuffer)
        buffer.reset()
        buffer._rows[2:].fill_(torch.nan)
        buffer.pos = 1
        seeded_train(model)
        assert all(bool(torch.isfinite(value).all()) for _, value in numbers(model))

    def test_a_gpus_model_loads_on_a_cpu(self, tmp_path: Path) -> None:
        model = filled(FastSAC, "cuda", ent_coef="auto")
        seeded_train(model)
        model.save(tmp_path / "model")
        for kind in (SAC, FastSAC):
            loaded = kind.load(tmp_path / "model", DummyVecEnv([Still] * N_ENVS), device="cpu")
            for (_, value), (_, expected) in zip(numbers(loaded), numbers(model), strict=True):
                assert torch.equal(value, expected.cpu())

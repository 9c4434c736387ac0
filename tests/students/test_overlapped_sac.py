from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron.students import FastSAC, OverlappedSAC
from chiron.students.fast.overlapped_sac import _Block
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

PATIENCE = 30.0
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "seed": 0,
    "learning_starts": 40,
    "train_freq": 4,
    "gradient_steps": 3,
    "batch_size": 16,
    "buffer_size": 150,
    "policy_kwargs": {"net_arch": [16]},
}


class Signalling(gym.Env[Any, Any]):
    """Signals when it is stepped; the observation counts steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self) -> None:
        self.stepped = threading.Event()
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        return np.zeros(2, dtype=np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.stepped.set()
        observation = np.array([self.steps / 100, action[0]], dtype=np.float32)
        return observation, float(action[0]), False, self.steps % 7 == 0, {}


def parameters(module: torch.nn.Module) -> list[float]:
    return torch.cat([p.detach().flatten() for p in module.parameters()]).tolist()


def new_model(world: gym.Env[Any, Any], kind: type[FastSAC] = OverlappedSAC) -> FastSAC:
    return kind("MlpPolicy", DummyVecEnv([lambda: world]), **SETTINGS)


class TestWhileABlockIsUnderWay:
    """Each block is held up until the world has been stepped meanwhile."""

    STEPS = 200

    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Signalling:
        world, start, make = Signalling(), _Block.start, FastSAC._make_gradient_steps

        def start_anew(block: _Block, work: Any) -> None:
            world.stepped.clear()
            start(block, work)

        def make_late(model: FastSAC, gradient_steps: int, batch_size: int) -> None:
            before = model.replay_buffer._rows.clone()
            # No step comes after the last block.
            assert world.steps == self.STEPS or world.stepped.wait(PATIENCE)
            make(model, gradient_steps, batch_size)
            self.rows_moved |= not torch.equal(before, model.replay_buffer._rows)
            self.after_block.append(parameters(model.actor))

        monkeypatch.setattr(_Block, "start", start_anew)
        monkeypatch.setattr(FastSAC, "_make_gradient_steps", make_late)
        self.rows_moved = False
        return world

    def test_acting_is_one_block_behind_and_never_more(self, world: Signalling) -> None:
        model = new_model(world)
        assert isinstance(model, OverlappedSAC)
        self.after_block = [parameters(model.actor)]
        acted_with: list[list[float]] = []
        sample = model._sample_action

        def watched(*args: Any, **kwargs: Any) -> Any:
            if model.num_timesteps >= SETTINGS["learning_starts"] and model.num_timesteps % 4 == 0:
                acted_with.append(parameters(model._acting))
            return sample(*args, **kwargs)

        model._sample_action = watched  # type: ignore[method-assign]
        model.learn(self.STEPS)
        blocks = (self.STEPS - SETTINGS["learning_starts"]) // SETTINGS["train_freq"]
        assert model._n_updates == blocks * SETTINGS["gradient_steps"]
        assert len(self.after_block) == blocks + 1
        # The first two rollouts after `learning_starts` use the policy from before any block.
        assert acted_with == [self.after_block[0], *self.after_block[: blocks - 1]]
        assert len({tuple(values) for values in self.after_block}) == blocks + 1

    def test_no_row_moves_and_none_is_lost(self, world: Signalling) -> None:
        model = new_model(world)
        self.after_block = []
        model.learn(self.STEPS)
        assert not self.rows_moved
        steps = 100 * model.replay_buffer._rows[:, 3]
        assert sorted(round(step) for step in steps.tolist()) == list(range(51, self.STEPS + 1))

    def test_what_looks_at_the_model_sees_it_finished(self, world: Signalling, tmp_path: Path) -> None:
        model = new_model(world)
        self.after_block = []
        model.learn(self.STEPS)
        parameters_at_the_end = self.after_block[-1]
        assert parameters(model.actor) == parameters_at_the_end
        model.save(tmp_path / "model")
        assert parameters(SAC.load(tmp_path / "model", device="cpu").actor) == parameters_at_the_end


def test_the_log_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    released, make = threading.Event(), FastSAC._make_gradient_steps

    def make_late(*args: Any) -> None:
        assert released.wait(PATIENCE)
        make(*args)

    monkeypatch.setattr(FastSAC, "_make_gradient_steps", make_late)
    model = OverlappedSAC("MlpPolicy", DummyVecEnv([Signalling]), **SETTINGS)
    model.learn(SETTINGS["learning_starts"])
    model.train(3, 16)
    model.dump_logs()
    assert not released.is_set()
    released.set()
    model.train(3, 16)
    assert model.logger.name_to_value["train/critic_loss"] > 0
    model.finish_updates()


def test_an_error_in_a_block_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise ArithmeticError("these gradients do not add up")

    monkeypatch.setattr(FastSAC, "_make_gradient_steps", fail)
    world = Signalling()
    model = new_model(world)
    with pytest.raises(ArithmeticError, match="do not add up"):
        model.learn(200)
    assert world.steps == SETTINGS["learning_starts"] + 2 * SETTINGS["train_freq"]
    # The error is raised once, and the held-back transitions are stored.
    model.predict(np.zeros(2, dtype=np.float32))
    assert model.replay_buffer.pos == world.steps


@pytest.mark.parametrize("normalized", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.medium
def test_without_its_lag_it_is_fast_sac(normalized: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hasty(OverlappedSAC):
        def _make_gradient_steps(self, gradient_steps: int, batch_size: int) -> None:
            super()._make_gradient_steps(gradient_steps, batch_size)
            self._block.finish()
            self._refresh_acting()

    models = []
    for kind in (Hasty, FastSAC):
        vec_env: Any = make_vec_env("Pendulum-v1", n_envs=2, seed=0)
        if normalized:
            vec_env = VecNormalize(vec_env)
        models.append(kind("MlpPolicy", vec_env, **SETTINGS).learn(400))
    hasty, fast = models
    assert parameters(hasty.policy) == parameters(fast.policy)
    assert torch.equal(hasty.replay_buffer._rows, fast.replay_buffer._rows)


def test_given_parameters_are_acted_with_at_once() -> None:
    model, other = new_model(Signalling()), new_model(Signalling(), FastSAC)
    assert isinstance(model, OverlappedSAC)
    other.learn(60)
    model.set_parameters(other.get_parameters(), device="cpu")
    assert parameters(model._acting) == parameters(other.actor)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskSpace
from chiron.students import CurriculumVecEnv, FastPPO, FastSAC
from chiron.students.forgetting import Forgetting
from chiron.teachers import Curriculum, Random
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from tests.countdown_env import CountdownEnv


class Weights(BaseCallback):
    """Records the policy's largest weights and the replay buffer's size at the start of each rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, tuple[torch.Tensor, int]] = {}

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        buffer: Any = getattr(self.model, "replay_buffer", None)
        largest = max(self.model.policy.parameters(), key=torch.numel).detach().clone()
        self.seen[self.num_timesteps] = largest, 0 if buffer is None else buffer.size()


def learn(make: Any, space: TaskSpace, *callbacks: BaseCallback, **settings: Any) -> BaseAlgorithm:
    vec_env = CurriculumVecEnv([CountdownEnv] * 2, Curriculum(Random(space, seed=0), EnvInfo(space), seed=0))
    model: BaseAlgorithm = make("MlpPolicy", vec_env, seed=0, device="cpu", **settings)
    return model.learn(200, callback=list(callbacks))


ON_POLICY = {"n_steps": 20, "batch_size": 20, "n_epochs": 2}
OFF_POLICY = {
    "learning_starts": 0,
    "batch_size": 8,
    "train_freq": 20,
    "policy_kwargs": {"net_arch": [16]},
    "buffer_size": 1_000,
}
STUDENTS = [(PPO, ON_POLICY), (FastPPO, ON_POLICY), (SAC, OFF_POLICY), (FastSAC, OFF_POLICY)]


@pytest.mark.parametrize(("make", "settings"), STUDENTS)
def test_is_reset_every_so_many_steps(make: Any, settings: Any, countdown_space: TaskSpace) -> None:
    without, weights = Weights(), Weights()
    model = learn(make, countdown_space, Forgetting(120, seed=1), weights, **settings)
    learn(make, countdown_space, without, **settings)
    steps = sorted(weights.seen)
    assert steps == sorted(without.seen) == [0, 40, 80, 120, 160]
    same = [torch.equal(weights.seen[step][0], without.seen[step][0]) for step in steps]
    assert same == [True, True, True, False, False]
    fresh, size = weights.seen[120]
    assert size == 0
    # The policy that acts and is saved is the one that is trained afterwards.
    assert not torch.equal(fresh, weights.seen[160][0])
    assert torch.isfinite(next(model.policy.parameters())).all()
    assert model.num_timesteps == 200


def test_the_same_seed_forgets_the_same_way(countdown_space: TaskSpace) -> None:
    weights = [Weights() for _ in range(3)]
    for seed, seen in zip((1, 1, 2), weights, strict=True):
        learn(PPO, countdown_space, Forgetting(120, seed=seed), seen, **ON_POLICY)
    first, again, other = (seen.seen[120][0] for seen in weights)
    np.testing.assert_array_equal(first, again)
    assert not torch.equal(first, other)


def test_refuses_to_forget_all_the_time() -> None:
    with pytest.raises(ValueError, match="forget_every=0 must be at least 1"):
        Forgetting(0, seed=0)

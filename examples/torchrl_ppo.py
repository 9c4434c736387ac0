"""TorchRL's PPO with a curriculum: `CurriculumVectorEnv` in TorchRL's `GymWrapper`. Needs torchrl.

python examples/torchrl_ppo.py --total-steps 100000
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from cart_poles import make_envs  # in the same folder
from chiron.teachers import Episode
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.data import LazyTensorStorage, SamplerWithoutReplacement, TensorDictReplayBuffer
from torchrl.envs import ExplorationType, GymWrapper, set_exploration_type
from torchrl.modules import MLP, OneHotCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE


def main(arguments: list[str] | None = None) -> list[Episode]:
    """Train, print the progress, and return the episodes played."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-steps", type=int, default=100_000)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--num-steps", type=int, default=128, help="steps of each env per rollout")
    args = parser.parse_args(arguments)
    torch.manual_seed(args.seed)

    envs = make_envs(args.num_envs, args.seed)
    env = GymWrapper(envs)
    episodes: list[Episode] = []
    envs.curriculum.listeners.append(episodes.append)  # every finished episode, with its task

    seen, n_actions = env.observation_spec["observation"].shape[-1], env.action_spec.shape[-1]
    network = MLP(in_features=seen, out_features=n_actions, num_cells=[64, 64], activation_class=nn.Tanh)
    actor = ProbabilisticActor(
        TensorDictModule(network, ["observation"], ["logits"]),
        in_keys=["logits"],
        distribution_class=OneHotCategorical,
        return_log_prob=True,
    )
    critic = ValueOperator(
        MLP(in_features=seen, out_features=1, num_cells=[64, 64], activation_class=nn.Tanh)
    )
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss = ClipPPOLoss(
        actor, critic, clip_epsilon=0.2, entropy_coeff=0.01, critic_coeff=0.5, normalize_advantage=True
    )
    optimizer = torch.optim.Adam(loss.parameters(), lr=3e-4)

    batch_size = args.num_envs * args.num_steps
    buffer = TensorDictReplayBuffer(
        storage=LazyTensorStorage(batch_size), sampler=SamplerWithoutReplacement(), batch_size=batch_size // 4
    )
    iterations = max(1, args.total_steps // batch_size)
    start = env.reset()
    for iteration in range(1, iterations + 1):
        with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):
            rollout = env.rollout(
                args.num_steps, actor, auto_reset=False, tensordict=start, break_when_any_done=False
            )
            # For ended episodes, this is the first observation of the next one, on its own task.
            start = env.maybe_reset(env.step_mdp(rollout[:, -1]))
            advantage(rollout)
        for _ in range(4):
            buffer.empty()
            buffer.extend(rollout.reshape(-1))
            for batch in buffer:
                losses = loss(batch)
                total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
                optimizer.zero_grad()
                total.backward()
                nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
                optimizer.step()
        if iteration % max(1, iterations // 10) == 0 and episodes:
            recent = episodes[-100:]
            print(
                f"{envs.steps:>8} steps, {len(episodes):>5} episodes, the last {len(recent)} with a "
                f"mean return of {np.mean([episode.episode_return for episode in recent]):.0f}"
            )
    env.close()
    return episodes


if __name__ == "__main__":
    main()

"""Single-file PPO in the style of CleanRL, with a curriculum, which is entirely in `make_envs`.

python examples/cleanrl_style_ppo.py --total-steps 200000
"""

from __future__ import annotations

import argparse
import time

import gymnasium as gym
import numpy as np
import torch
from cart_poles import make_envs  # in the same folder
from chiron.teachers import Episode
from torch import Tensor, nn, optim
from torch.distributions import Categorical


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-steps", type=int, default=200_000)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--num-steps", type=int, default=128, help="steps of each env per rollout")
    parser.add_argument("--learning-rate", type=float, default=2.5e-4)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--gae-lambda", type=float, default=0.95)
    parser.add_argument("--num-minibatches", type=int, default=4)
    parser.add_argument("--update-epochs", type=int, default=4)
    parser.add_argument("--clip-coef", type=float, default=0.2)
    parser.add_argument("--ent-coef", type=float, default=0.01)
    parser.add_argument("--vf-coef", type=float, default=0.5)
    parser.add_argument("--max-grad-norm", type=float, default=0.5)
    return parser.parse_args(arguments)


def layer_init(layer: nn.Linear, std: float = 2**0.5) -> nn.Linear:
    """Orthogonal weights, no bias."""
    nn.init.orthogonal_(layer.weight, std)
    nn.init.zeros_(layer.bias)
    return layer


class Agent(nn.Module):
    """An actor and a critic."""

    def __init__(self, envs: gym.vector.VectorEnv) -> None:
        super().__init__()
        seen = int(np.prod(envs.single_observation_space.shape))
        self.critic = nn.Sequential(
            layer_init(nn.Linear(seen, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 1), std=1.0),
        )
        self.actor = nn.Sequential(
            layer_init(nn.Linear(seen, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, int(envs.single_action_space.n)), std=0.01),
        )

    def value(self, observations: Tensor) -> Tensor:
        """Values of observations, shape (…)."""
        return self.critic(observations).squeeze(-1)

    def policy(self, observations: Tensor) -> Categorical:
        """The distribution of actions."""
        return Categorical(logits=self.actor(observations))


def main(arguments: list[str] | None = None) -> list[Episode]:
    """Train, print the progress, and return the episodes played."""
    args = parsed(arguments)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    envs = make_envs(args.num_envs, args.seed)
    curriculum = envs.curriculum
    episodes: list[Episode] = []
    curriculum.listeners.append(episodes.append)  # every finished episode, with its task

    agent = Agent(envs)
    optimizer = optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)
    shape = (args.num_steps, args.num_envs)
    obs = torch.zeros(*shape, *envs.single_observation_space.shape)
    actions = torch.zeros(shape, dtype=torch.int64)
    logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))

    start = time.perf_counter()
    first, _ = envs.reset()
    next_obs = torch.as_tensor(first)
    iterations = max(1, args.total_steps // (args.num_steps * args.num_envs))
    for iteration in range(1, iterations + 1):
        for step in range(args.num_steps):
            obs[step] = next_obs
            with torch.no_grad():
                policy = agent.policy(next_obs)
                actions[step] = policy.sample()
                logprobs[step], values[step] = policy.log_prob(actions[step]), agent.value(next_obs)
            seen, reward, terminated, truncated, infos = envs.step(actions[step].numpy())
            if truncated.any():
                # A truncated episode could have continued: bootstrap from its last observation.
                last = torch.as_tensor(np.stack(infos["final_obs"][truncated]))
                with torch.no_grad():
                    reward[truncated] += args.gamma * agent.value(last).numpy()
            rewards[step], dones[step] = torch.as_tensor(reward), torch.as_tensor(terminated | truncated)
            next_obs = torch.as_tensor(seen)

        with torch.no_grad():
            advantages, advantage = torch.zeros(shape), torch.zeros(args.num_envs)
            next_value = agent.value(next_obs)
            for step in reversed(range(args.num_steps)):
                alive = 1.0 - dones[step]
                delta = rewards[step] + args.gamma * next_value * alive - values[step]
                advantages[step] = advantage = delta + args.gamma * args.gae_lambda * alive * advantage
                next_value = values[step]
            returns = advantages + values

        batch = [part.flatten(0, 1) for part in (obs, actions, logprobs, advantages, returns)]
        for _ in range(args.update_epochs):
            order = torch.as_tensor(rng.permutation(args.num_steps * args.num_envs))
            for chosen in order.chunk(args.num_minibatches):
                b_obs, b_actions, b_logprobs, b_advantages, b_returns = (part[chosen] for part in batch)
                policy = agent.policy(b_obs)
                ratio = (policy.log_prob(b_actions) - b_logprobs).exp()
                b_advantages = (b_advantages - b_advantages.mean()) / (b_advantages.std() + 1e-8)
                clipped = ratio.clamp(1 - args.clip_coef, 1 + args.clip_coef)
                policy_loss = -torch.min(b_advantages * ratio, b_advantages * clipped).mean()
                value_loss = 0.5 * (agent.value(b_obs) - b_returns).square().mean()
                loss = policy_loss - args.ent_coef * policy.entropy().mean() + args.vf_coef * value_loss
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
                optimizer.step()

        if iteration % max(1, iterations // 10) == 0:
            recent = episodes[-100:]
            print(
                f"{envs.steps:>8} steps, {envs.steps / (time.perf_counter() - start):>6.0f} per second: "
                f"{curriculum.episodes:>5} episodes, the last {len(recent)} with a mean return of "
                f"{np.mean([episode.episode_return for episode in recent]):.0f}, "
                f"{np.mean([bool(episode.success) for episode in recent]):.0%} mastered, "
                f"{curriculum.teacher.metrics()['gaussians']} gaussians"
            )
    envs.close()
    return episodes


if __name__ == "__main__":
    main()

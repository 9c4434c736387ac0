"""skrl's PPO with a curriculum: `CurriculumVectorEnv` is wrapped like any Gymnasium vector env. Needs skrl.

python examples/skrl_ppo.py --total-steps 100000
"""

from __future__ import annotations

import argparse

import numpy as np
from cart_poles import make_envs  # in the same folder
from chiron.teachers import Episode
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from skrl.utils.model_instantiators.torch import categorical_model, deterministic_model


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
    set_seed(args.seed)

    envs = make_envs(args.num_envs, args.seed)
    episodes: list[Episode] = []
    envs.curriculum.listeners.append(episodes.append)  # every finished episode, with its task
    env = wrap_env(envs)

    spaces = {
        "observation_space": env.observation_space,
        "action_space": env.action_space,
        "device": env.device,
    }
    network = [{"name": "net", "input": "OBSERVATIONS", "layers": [64, 64], "activations": "tanh"}]
    models = {
        "policy": categorical_model(**spaces, network=network, output="ACTIONS"),
        "value": deterministic_model(**spaces, network=network, output="ONE"),
    }
    cfg = PPO_CFG(
        rollouts=args.num_steps,
        learning_epochs=4,
        mini_batches=4,
        learning_rate=3e-4,
        entropy_loss_scale=0.01,
        value_loss_scale=0.5,
    )
    cfg.experiment.write_interval = cfg.experiment.checkpoint_interval = 0
    memory = RandomMemory(memory_size=args.num_steps, num_envs=args.num_envs, device=env.device)
    agent = PPO(models=models, memory=memory, cfg=cfg, **spaces)
    timesteps = args.total_steps // args.num_envs
    trainer = SequentialTrainer(
        env=env, agents=agent, cfg={"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    )
    trainer.train()
    for first in range(0, len(episodes), max(1, len(episodes) // 10)):
        part = episodes[first : first + max(1, len(episodes) // 10)]
        mean = np.mean([episode.episode_return for episode in part])
        print(f"{part[-1].step:>8} steps, {part[-1].index + 1:>5} episodes, mean return {mean:.0f}")
    return episodes


if __name__ == "__main__":
    main()

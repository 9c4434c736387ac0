"""CartPole envs with tasks, and their curriculum, for the examples of learners in this folder."""

from __future__ import annotations

from chiron import Curriculum, CurriculumVectorEnv
from chiron.envs.env_info import env_info
from chiron.envs.gymnasium_env import GymnasiumEnv
from chiron.teachers import ALPGMM
from gymnasium.vector import AutoresetMode


def make_env() -> GymnasiumEnv:
    """CartPole with pole length and push force as the task."""
    return GymnasiumEnv(
        "CartPole-v1",
        parameters={
            "half_length": {
                "attribute": "unwrapped.length",
                "value": [0.1, 2.0],
                "easy": "high",
                "unit": "m",
            },
            "push": {"attribute": "unwrapped.force_mag", "value": [2.0, 20.0], "easy": "high", "unit": "N"},
        },
        return_range=(0, 500),
        mastered_return=475,
        after_setting="chiron.envs.gymnasium_env.derived_attributes.cart_pole",
        reuse=True,
    )


def make_envs(
    num_envs: int, seed: int, autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP
) -> CurriculumVectorEnv:
    """A vector env of CartPoles, with every episode on a task chosen by ALP-GMM."""
    info = env_info(make_env())
    curriculum = Curriculum(ALPGMM(info.task_space, seed=seed), info, seed=seed)
    return CurriculumVectorEnv([make_env] * num_envs, curriculum, autoreset_mode=autoreset_mode)

"""What follows from a parameter in envs that work it out only once, when they are made.

Functions for `GymnasiumEnv(after_setting=…)`: each is given the unwrapped env.
"""

from __future__ import annotations

from typing import Any


def cart_pole(env: Any) -> None:
    """Work out CartPole's sum and product again from the masses and the pole's length."""
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length


def mujoco(env: Any) -> None:
    """Work out the constants of a MuJoCo model again from its masses, inertias and sizes."""
    from mujoco import mj_setConst

    mj_setConst(env.model, env.data)

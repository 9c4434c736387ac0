"""Recomputes attributes that envs derive from their parameters only once, when they are made.

Functions for `GymnasiumEnv(after_setting=…)`: each is given the unwrapped env.
"""

from __future__ import annotations

from typing import Any


def cart_pole(env: Any) -> None:
    """Recompute CartPole's sum and product from the masses and the pole's length."""
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length


def mujoco(env: Any) -> None:
    """Recompute the constants of a MuJoCo model from its masses, inertias and sizes."""
    from mujoco import mj_setConst

    mj_setConst(env.model, env.data)

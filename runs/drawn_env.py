"""Checks for envs that are rendered."""

from __future__ import annotations

import os
import sys
from typing import Any

import gymnasium as gym


def require_drawing(env: gym.Env[Any, Any], render_mode: str = "rgb_array") -> gym.Env[Any, Any]:
    """Return an env after checking that it can render.

    Raises:
        ValueError: If it does not support this render mode, or cannot render on this machine.
    """
    modes = env.metadata.get("render_modes", [])
    if render_mode not in modes:
        raise ValueError(
            f"render_mode={render_mode} must be one of this env's: {', '.join(modes) or 'it has none'}"
        )
    if render_mode == "rgb_array":
        _try_to_draw(env)
    return env


def _try_to_draw(env: gym.Env[Any, Any]) -> None:
    try:
        env.reset(seed=0)
        env.render()
    except Exception as error:
        hint = " (without a display, MuJoCo needs MUJOCO_GL=egl or osmesa)" if "mujoco" in sys.modules else ""
        raise ValueError(f"it cannot be drawn on this machine: {str(error).splitlines()[0]}{hint}") from error


def draw_without_display() -> None:
    """Let envs render without a display; must be called before one is built."""
    if not has_display():
        os.environ.setdefault("MUJOCO_GL", "egl")  # the default needs a display even to record a video
        # SDL's defaults, used by pygame, print errors if there is no display or sound card.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("SDL_AUDIODRIVER", "dummy")


def has_display() -> bool:
    """Whether there is a display that can show a window."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    )

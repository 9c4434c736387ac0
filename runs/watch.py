"""Shows an episode in a window, or records it as a video."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RenderCollection

from ..envs.task_space import Task
from ..envs.vector.action_repeat import ActionRepeat
from ..evaluation.episode import PlayedEpisode
from ..evaluation.evaluate import Policy
from .settings import LONGEST_VIDEO
from .video import write_video


def watch(
    env: gym.Env[Any, Any],
    make_policy: Callable[[gym.Env[Any, Any]], Policy],
    task: Task | None,
    seed: int,
    action_repeat: int = 1,
    seconds: float | None = None,
    out: Path | None = None,
) -> PlayedEpisode:
    """Play an episode in a window, until it is closed, or to a file; the env is closed at the end.

    Args:
        env: An env with render mode "human" for a window, "rgb_array" for a file.
        make_policy: Makes the policy, given the env it acts in.
        task: The task, shape (d,); None for the env's default.
        seed: Seeds the episode.
        action_repeat: Number of env steps for which each action is repeated.
        seconds: Env time in seconds after which the episode is cut off; None to play it to its end.
        out: The file to write, `.gif`, `.mp4` or `.png`, of `LONGEST_VIDEO` at most; None shows a window.

    Returns:
        The episode, as far as it was played.
    """
    # Inside the action repeat, so that every env step is a frame.
    repeating = ActionRepeat(env if out is None else RenderCollection(env), action_repeat)
    if out is not None and seconds is None:
        seconds = LONGEST_VIDEO
    frames_per_second = int(env.metadata.get("render_fps", 30))
    max_steps = math.inf if seconds is None else math.ceil(seconds * frames_per_second / action_repeat)
    episode = PlayedEpisode(repeating, make_policy(repeating), task, seed, max_steps)
    try:
        if out is not None:
            write_video(episode.frames(), out, frames_per_second)
        else:
            for _ in episode.steps():
                if _window_is_closed():
                    break
    finally:
        repeating.close()
    return episode


def no_student(actions: str, env: gym.Env[Any, Any], seed: int) -> Policy:
    """A policy for an env without a student.

    Args:
        actions: "random", or "none" for all-zero actions.
        env: The env to act in.
        seed: Seeds random actions.
    """
    env.action_space.seed(seed)
    if actions == "random":
        return lambda observation, episode_start: env.action_space.sample()
    nothing = np.zeros_like(env.action_space.sample())[()]  # a scalar if actions are scalars
    return lambda observation, episode_start: nothing


def _window_is_closed() -> bool:
    """Whether the user has closed the window of an env that renders with pygame, as Gymnasium's envs do."""
    pygame = sys.modules.get("pygame")
    return pygame is not None and pygame.display.get_init() and bool(pygame.event.peek(pygame.QUIT))

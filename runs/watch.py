"""An episode in a window, or as a video."""

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
    """Play an episode in a window, until that is closed, or into a file; the env is closed in the end.

    Args:
        env: An env that draws: "human" for a window, "rgb_array" for a file.
        make_policy: Makes what chooses actions, from the env it acts in.
        task: The task, shape (d,); None for the env's default.
        seed: Seeds the episode.
        action_repeat: For how many of the env's steps an action is held.
        seconds: After how many seconds of the env the episode is cut off; None for its end.
        out: The file to write, `.gif`, `.mp4` or `.png`, of `LONGEST_VIDEO` at most; None shows a window.

    Returns:
        The episode, as far as it was played.
    """
    # Inside the repetition of actions, so that each of the env's own steps is a frame.
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
    """A policy for an env in which no student plays.

    Args:
        actions: "random", or "none" for actions of zeros.
        env: Where to act.
        seed: Seeds random actions.
    """
    env.action_space.seed(seed)
    if actions == "random":
        return lambda observation, episode_start: env.action_space.sample()
    nothing = np.zeros_like(env.action_space.sample())[()]  # a number, where an action is one
    return lambda observation, episode_start: nothing


def _window_is_closed() -> bool:
    """Whether a person has closed the window of an env that draws with pygame, as Gymnasium's do."""
    pygame = sys.modules.get("pygame")
    return pygame is not None and pygame.display.get_init() and bool(pygame.event.peek(pygame.QUIT))

"""Records short videos of a student during training."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RenderCollection
from PIL import Image

from ..envs.vector.action_repeat import ActionRepeat
from ..evaluation.episode import PlayedEpisode
from ..evaluation.evaluate import Policy
from ..evaluation.task_sets import HARDNESS, graded_task
from .video import Frame, encode_gif

_SECONDS = 8
_FRAMES_PER_SECOND = 12
_WIDEST = 320
_SEED = 0


class StudentVideos:
    """Records videos of a student on an easy, a medium and a hard task.

    Args:
        env: The env to play in, with `render_mode="rgb_array"`.
        action_repeat: Number of env steps for which each action is repeated.
    """

    def __init__(self, env: gym.Env[Any, Any], action_repeat: int) -> None:
        self._frames_per_second = int(env.metadata.get("render_fps", 30))
        # Inside the action repeat, so that every env step is a frame.
        self._env = ActionRepeat(RenderCollection(env), action_repeat)
        self._space = env.get_wrapper_attr("task_space")

    def record(self, make_policy: Callable[[gym.Env[Any, Any]], Policy]) -> dict[str, bytes]:
        """Record the first seconds of an episode of each task.

        Args:
            make_policy: Makes the policy, given the env it acts in.

        Returns:
            The content of a GIF file by the name of its task.
        """
        every = max(1, round(self._frames_per_second / _FRAMES_PER_SECOND))
        # The first frame is that of the reset.
        max_steps = math.ceil((_SECONDS * self._frames_per_second - 1) / self._env.times)
        policy, videos = make_policy(self._env), {}
        for word, hardness in HARDNESS.items():
            episode = PlayedEpisode(self._env, policy, graded_task(self._space, hardness), _SEED, max_steps)
            frames = (_small(frame) for frame in islice(episode.frames(), 0, None, every))
            videos[word] = encode_gif(frames, round(self._frames_per_second / every))
        return videos

    def close(self) -> None:
        """Close the env."""
        self._env.close()


def _small(frame: Frame) -> Frame:
    height, width, _ = frame.shape
    if width <= _WIDEST:
        return frame
    size = _WIDEST, round(height * _WIDEST / width)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))

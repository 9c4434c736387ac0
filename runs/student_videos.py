"""Short videos of a student at work while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RenderCollection
from PIL import Image

from ..envs.task_space import Task
from ..envs.vector.action_repeat import ActionRepeat
from ..evaluation.evaluate import Policy
from ..evaluation.task_sets import HARDNESS, graded_task
from .video import Frame, encode_gif

_SECONDS = 8
_FRAMES_PER_SECOND = 12
_WIDEST = 320
_SEED = 0


class StudentVideos:
    """Records videos of a student on an easy, a middle and a hard task.

    Args:
        world: Where it plays, with `render_mode="rgb_array"`.
        action_repeat: For how many steps of the world it holds an action.
    """

    def __init__(self, world: gym.Env[Any, Any], action_repeat: int) -> None:
        self._frames_per_second = int(world.metadata.get("render_fps", 30))
        # Inside the repetition of actions, so that each of the world's own steps is a frame.
        self._world = ActionRepeat(RenderCollection(world), action_repeat)
        self._space = world.get_wrapper_attr("task_space")

    def record(self, policy: Policy) -> dict[str, bytes]:
        """Let a policy play the first seconds of an episode of each task.

        Args:
            policy: Takes one observation, or a batch of them.

        Returns:
            The content of a GIF file, by the word for its task.
        """
        every = max(1, round(self._frames_per_second / _FRAMES_PER_SECOND))
        videos = {}
        for word, hardness in HARDNESS.items():
            played = self._play(policy, graded_task(self._space, hardness))
            frames = (_small(frame) for frame in islice(played, 0, None, every))
            videos[word] = encode_gif(frames, round(self._frames_per_second / every))
        return videos

    def _play(self, policy: Policy, task: Task) -> Iterator[Frame]:
        most, shown, over = _SECONDS * self._frames_per_second, 0, False
        observation, _ = self._world.reset(seed=_SEED, options={"task": task})
        while True:
            for frame in cast("list[Frame]", self._world.render()):
                yield frame
                shown += 1
            if over or shown >= most:
                return
            observation, _, terminated, truncated, _ = self._world.step(policy(observation))
            over = terminated or truncated

    def close(self) -> None:
        """Let go of the world."""
        self._world.close()


def _small(frame: Frame) -> Frame:
    height, width, _ = frame.shape
    if width <= _WIDEST:
        return frame
    size = _WIDEST, round(height * _WIDEST / width)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))

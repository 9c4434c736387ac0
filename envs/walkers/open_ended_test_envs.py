"""The six test envs of open-ended environment design, as one env."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from ..task_space import TaskParameter, TaskSpace
from .open_ended_tracks import TEST_ENVS, OpenEndedTracks
from .walker_body import WalkerBody


class OpenEndedTestEnvs(gym.Wrapper[Any, Any, Any, Any]):
    """`OpenEndedTracks` whose task is the index in `TEST_ENVS` of the test env that an episode plays.

    Args:
        body: The walker, by name or as data.
    """

    def __init__(self, body: str | WalkerBody = "default") -> None:
        self._tracks = OpenEndedTracks(body=body)
        super().__init__(self._tracks)
        self.task_space = TaskSpace([TaskParameter("test_env", 0, len(TEST_ENVS) - 1)])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in the test env with the index `options["task"]`, rounded."""
        task = self.task_space.to_vector((options or {}).get("task"))
        self._tracks.test_env = list(TEST_ENVS)[round(float(task[0]))]
        observation, _ = self.env.reset(seed=seed)
        return observation, {"task": task}

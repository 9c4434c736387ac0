"""Worlds: task spaces, Gymnasium environments that reset into a task, and many of them stepped together."""

import gymnasium

from envs.gymnasium_world import GymnasiumWorld
from envs.hexagon_tracks import HexagonTracks
from envs.obstacle_tracks import ObstacleTracks
from envs.open_ended_tracks import OpenEndedTracks
from envs.stump_sequence import StumpSequence
from envs.stump_tracks import StumpTracks
from envs.task_space import TaskParameter, TaskSpace
from envs.vector_loop import VectorLoop
from envs.vector_workers import VectorWorkers, WorkerError

__all__ = [
    "GymnasiumWorld",
    "HexagonTracks",
    "ObstacleTracks",
    "OpenEndedTracks",
    "StumpSequence",
    "StumpTracks",
    "TaskParameter",
    "TaskSpace",
    "VectorLoop",
    "VectorWorkers",
    "WorkerError",
]

for world in (StumpTracks, HexagonTracks, StumpSequence, ObstacleTracks, OpenEndedTracks):
    gymnasium.register(
        f"chiron/{world.__name__}-v0",
        f"{world.__module__}:{world.__name__}",
        vector_entry_point=f"{world.__module__}:batched",
    )

"""Worlds: task spaces, Gymnasium environments that reset into a task, and many of them stepped together."""

import gymnasium

from .env_info import EnvInfo, env_info
from .gymnasium_env.gymnasium_env import GymnasiumWorld
from .task_space import TaskParameter, TaskSpace
from .vector.async_vector_env import VectorWorkers, WorkerError
from .vector.sync_vector_env import VectorLoop
from .walkers.hexagon_tracks import HexagonTracks
from .walkers.obstacle_tracks import ObstacleTracks
from .walkers.open_ended_tracks import OpenEndedTracks
from .walkers.stump_sequence import StumpSequence
from .walkers.stump_tracks import StumpTracks

__all__ = [
    "EnvInfo",
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
    "env_info",
]

for world in (StumpTracks, HexagonTracks, StumpSequence, ObstacleTracks, OpenEndedTracks):
    gymnasium.register(
        f"chiron/{world.__name__}-v0",
        f"{world.__module__}:{world.__name__}",
        vector_entry_point=f"{world.__module__}:batched",
    )

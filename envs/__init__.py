"""Parameterized environments: task spaces, envs that reset into a task, and vector envs."""

from . import registration as registration  # imported to register the envs with Gymnasium
from .env_info import EnvInfo, env_info
from .gymnasium_env import GymnasiumEnv
from .point_mass import PointMass
from .task_space import TaskParameter, TaskSpace
from .vector.async_vector_env import AsyncTaskVectorEnv, WorkerError
from .vector.env_error import EnvError
from .vector.make_vec import make_vec
from .vector.sync_vector_env import SyncTaskVectorEnv
from .walkers.hexagon_tracks import HexagonTracks
from .walkers.obstacle_tracks import ObstacleTracks
from .walkers.open_ended_tracks import OpenEndedTracks
from .walkers.rugged_stump_tracks import RuggedStumpTracks
from .walkers.stump_sequence import StumpSequence
from .walkers.stump_tracks import StumpTracks

__all__ = [
    "AsyncTaskVectorEnv",
    "EnvError",
    "EnvInfo",
    "GymnasiumEnv",
    "HexagonTracks",
    "ObstacleTracks",
    "OpenEndedTracks",
    "PointMass",
    "RuggedStumpTracks",
    "StumpSequence",
    "StumpTracks",
    "SyncTaskVectorEnv",
    "TaskParameter",
    "TaskSpace",
    "WorkerError",
    "env_info",
    "make_vec",
]

"""Worlds: task spaces, Gymnasium environments that reset into a task, and many of them stepped together."""

import gymnasium

from envs.stump_tracks import StumpTracks
from envs.task_space import TaskParameter, TaskSpace
from envs.vector_loop import VectorLoop
from envs.vector_workers import VectorWorkers, WorkerError

__all__ = ["StumpTracks", "TaskParameter", "TaskSpace", "VectorLoop", "VectorWorkers", "WorkerError"]

gymnasium.register(
    "chiron/StumpTracks-v0",
    "envs.stump_tracks:StumpTracks",
    vector_entry_point="envs.stump_tracks:batched",
)

from __future__ import annotations

import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.walkers.rugged_stump_tracks import RuggedStumpTracks


def track_parameters(
    env: RuggedStumpTracks, tasks: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> list[list[float]]:
    """Parameters that each task is mapped to before a track is made, taken from the env's base class."""
    seen: list[list[float]] = []
    plain = StumpTracks.make_track

    def record(self: StumpTracks, rng: np.random.Generator, **parameters: float) -> object:
        seen.append([parameters["stump_height"], parameters["obstacle_spacing"]])
        return plain(self, rng, **parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StumpTracks, "make_track", record)
        for task in tasks:
            env.reset(seed=0, options={"task": task})
    return seen


def test_intervals_change_places_and_keep_their_order_inside() -> None:
    env = RuggedStumpTracks(shuffle_seed=3)
    low, high = env.task_space.low, env.task_space.high
    steps = np.linspace(0.005, 0.995, 100)[:, None]
    unit = (np.array(track_parameters(env, (low + steps * (high - low)).astype(np.float32))) - low) / (
        high - low
    )
    for column in unit.T:
        np.testing.assert_allclose(np.sort(column), steps[:, 0], atol=1e-6)
        jumps = np.flatnonzero(np.abs(np.diff(column) - 0.01) > 1e-6)
        assert set(jumps) <= {24, 49, 74}
        assert len(jumps) > 0


def test_one_interval_is_stump_tracks() -> None:
    tasks = StumpTracks.task_space().sample(np.random.default_rng(0), 3)
    np.testing.assert_allclose(track_parameters(RuggedStumpTracks(intervals=1), tasks), tasks, rtol=1e-6)


def test_the_seed_decides_the_order_and_info_has_the_task_itself() -> None:
    tasks = StumpTracks.task_space().sample(np.random.default_rng(0), 8)
    same, again, other = (track_parameters(RuggedStumpTracks(shuffle_seed=seed), tasks) for seed in (0, 0, 1))
    assert same == again != other
    _, info = RuggedStumpTracks().reset(seed=0, options={"task": tasks[0]})
    np.testing.assert_array_equal(info["task"], tasks[0])


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="intervals=0 must lie in"):
        RuggedStumpTracks(intervals=0)
    with pytest.raises(ValueError, match="shuffle_seed=-1 must be at least 0"):
        RuggedStumpTracks(shuffle_seed=-1)

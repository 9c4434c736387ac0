from __future__ import annotations

import gc
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401 (registers the worlds)
from envs.stump_tracks import StumpTracks
from envs.track import FINISH_X, GROUND_LEVEL, LENGTH, STEP, Track, stump_track


def track(stump_height: float, obstacle_spacing: float, seed: int = 0) -> Track:
    return stump_track(np.random.default_rng(seed), stump_height, obstacle_spacing)


class TestTrack:
    def test_ground_is_a_flat_chain_from_start_past_the_finish(self) -> None:
        ground = track(1.0, 4.0).ground
        assert ground[0, 0] == 0
        assert (np.diff(ground[:, 0]) > 0).all()
        assert ground[-1, 0] >= np.float32(LENGTH) > FINISH_X
        assert (ground[:, 1] == np.float32(GROUND_LEVEL)).all()

    @pytest.mark.parametrize("spacing", [0.0, 0.5, 6.0])
    def test_stumps_are_one_step_wide_and_evenly_spaced_after_the_start_pad(self, spacing: float) -> None:
        obstacles = np.array(track(1.0, spacing).obstacles)
        left, right = obstacles[:, 0, 0], obstacles[:, 1, 0]
        assert left[0] == pytest.approx(20 * STEP)
        np.testing.assert_allclose(right - left, STEP, atol=2e-5)
        np.testing.assert_allclose(left[1:] - right[:-1], max(0.01, spacing), atol=2e-5)
        assert right[-1] + spacing > LENGTH - STEP

    def test_heights_are_normal_around_the_mean_with_a_floor(self) -> None:
        def heights(mean: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
            tops = [
                obstacle[2, 1] - obstacle[0, 1]
                for seed in range(20)
                for obstacle in track(mean, 0.0, seed).obstacles
            ]
            return np.array(tops) / STEP

        high = heights(2.0)
        assert high.mean() == pytest.approx(2.0, abs=0.01)
        assert high.std() == pytest.approx(0.1, abs=0.01)
        assert heights(0.0).min() == pytest.approx(0.05, abs=1e-5)

    def test_corners_run_counterclockwise(self) -> None:
        for corners in track(1.0, 3.0).obstacles:
            x, y = corners.T
            assert np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) > 0


class TestWorld:
    def test_is_registered(self) -> None:
        world = gym.make("chiron/StumpTracks-v0", body="default")
        world.reset(seed=0, options={"task": {"stump_height": 0.5, "obstacle_spacing": 4.0}})

    def test_paper_bounds(self) -> None:
        space = StumpTracks.task_space()
        assert space.columns == ["stump_height", "obstacle_spacing"]
        assert (space.low.tolist(), space.high.tolist()) == ([0, 0], [3, 6])

    def test_a_number_fixes_a_parameter(self) -> None:
        world = StumpTracks(stump_height=0.5, obstacle_spacing=(1, 2))
        assert world.task_space.columns == ["obstacle_spacing"]
        _, info = world.reset(seed=0, options={"task": [1.5]})
        assert info["task"].tolist() == [1.5]
        assert world.settings.values_in(info["task"]) == {"stump_height": 0.5, "obstacle_spacing": 1.5}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"stump_height": (3, 0)}, "low < high"),
            ({"stump_height": (0, np.inf)}, "finite"),
            ({"stump_height": (0, 1, 2)}, r"one number or \[low, high\]"),
            ({"stump_height": 1, "obstacle_spacing": 1}, "at least one"),
            ({"body": "centipede"}, "'default'"),
        ],
    )
    def test_refuses_what_it_cannot_be_made_from(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            StumpTracks(**settings)  # type: ignore[arg-type]

    def test_falling_costs_100_and_ends_the_episode(self) -> None:
        world = StumpTracks()
        world.reset(seed=0)
        for _ in range(2000):
            _, reward, terminated, truncated, _ = world.step(np.array([1, 1, 1, 1], dtype=np.float32))
            if terminated:
                break
        assert (reward, terminated, truncated) == (-100.0, True, False)

    def test_the_time_limit_is_a_truncation(self) -> None:
        class Brief(StumpTracks):
            time_limit = 50

        world = Brief()
        world.reset(seed=0)
        ends = [world.step(np.zeros(4, dtype=np.float32))[2:4] for _ in range(50)]
        assert ends == [(False, False)] * 49 + [(False, True)]
        assert StumpTracks.time_limit == 2000

    def test_lidar_reports_the_nearest_of_two_walls(self) -> None:
        world = StumpTracks()
        ground = np.array([[0, GROUND_LEVEL], [100, GROUND_LEVEL]], dtype=np.float32)

        def foremost_ray(*walls: float) -> float:
            corners = [np.array([[x, 3], [x + 0.2, 3], [x + 0.2, 9], [x, 9]], np.float32) for x in walls]
            return float(world.start(Track(ground, tuple(corners)), 0.0)[23])

        near, far = foremost_ray(6.5), foremost_ray(7.5)
        assert (far - near) * 160 / 30 * np.sin(1.35) == pytest.approx(1.0, abs=1e-4)
        assert foremost_ray(7.5, 6.5) == foremost_ray(6.5, 7.5) == near

    def test_memory_stays_flat_over_resets(self) -> None:
        world = StumpTracks()

        def resident_kilobytes() -> int:
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4

        def reset_often(times: int) -> None:
            for seed in range(times):
                world.reset(seed=seed, options={"task": [1.0, 0.5]})

        reset_often(300)
        before = resident_kilobytes()
        reset_often(1500)
        assert resident_kilobytes() - before < 700  # a leaked fixture a reset would be 1500 times 285 bytes

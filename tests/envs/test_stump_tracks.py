from __future__ import annotations

import gc
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, Track


class TestEnv:
    def test_is_registered(self) -> None:
        env = gym.make("chiron/StumpTracks-v0", body="default")
        env.reset(seed=0, options={"task": {"stump_height": 0.5, "obstacle_spacing": 4.0}})

    def test_paper_bounds(self) -> None:
        space = StumpTracks.task_space()
        assert space.columns == ["stump_height", "obstacle_spacing"]
        assert (space.low.tolist(), space.high.tolist()) == ([0, 0], [3, 6])

    def test_a_number_fixes_a_parameter(self) -> None:
        env = StumpTracks(stump_height=0.5, obstacle_spacing=(1, 2))
        assert env.task_space.columns == ["obstacle_spacing"]
        _, info = env.reset(seed=0, options={"task": [1.5]})
        assert info["task"].tolist() == [1.5]
        values = env.settings.values_in(info["task"])
        assert values == {"stump_height": 0.5, "obstacle_spacing": 1.5, "roughness": 0.0}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"stump_height": (3, 0)}, "low < high"),
            ({"stump_height": (0, np.inf)}, "finite"),
            ({"stump_height": (0, 1, 2)}, r"one number or \[low, high\]"),
            ({"stump_height": 1, "obstacle_spacing": 1}, "at least one"),
            ({"stump_height": None}, "one of stump_height, hexagon and stump_sizes must be given"),
            ({"stump_height": None, "stump_width": 1}, "leaves no stumps for stump_width"),
            ({"roughness": None}, "roughness must be a number"),
            ({"stump_width": np.nan}, "stump_width=nan must be finite"),
            ({"body": "centipede"}, r"'default', 'quadruped', 'short'"),
        ],
    )
    def test_refuses_what_it_cannot_be_made_from(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            StumpTracks(**settings)  # type: ignore[arg-type]

    def test_any_parameters_can_be_the_task(self) -> None:
        env = StumpTracks(stump_height=0.5, obstacle_spacing=4.0, stump_rotation=(0, 6.28), roughness=(0, 2))
        assert env.task_space.columns == ["stump_rotation", "roughness"]
        seen = {}
        for rotation, roughness in ((0.0, 0.0), (1.0, 0.0), (0.0, 2.0)):
            env.reset(seed=0, options={"task": [rotation, roughness]})
            track = env.make_track(
                np.random.default_rng(0),
                **env.settings.values_in(np.array([rotation, roughness], np.float32)),
            )
            upright = all(len(np.unique(corners[:, 0])) == 2 for corners in track.obstacles)
            seen[rotation, roughness] = (upright, bool(np.ptp(track.ground[:, 1]) > 0))
        assert seen[1.0, 0.0] == (False, False)
        assert seen[0.0, 2.0][1]

    def test_an_obstacle_that_cannot_be_built_names_the_task(self) -> None:
        class Flattened(StumpTracks):
            def make_track(self, rng: np.random.Generator, **parameters: float) -> Track:
                track = super().make_track(rng, **parameters)
                return Track(track.ground, (track.obstacles[0] * np.array([1, 0], np.float32),))

        with pytest.raises(
            ValueError, match=r"task \{'stump_height': 1\.5.*obstacle 0.*is not a convex polygon"
        ):
            Flattened().reset(seed=0)

    def test_falling_costs_100_and_ends_the_episode(self) -> None:
        env = StumpTracks()
        env.reset(seed=0)
        for _ in range(2000):
            _, reward, terminated, truncated, _ = env.step(np.array([1, 1, 1, 1], dtype=np.float32))
            if terminated:
                break
        assert (reward, terminated, truncated) == (-100.0, True, False)

    def test_the_time_limit_is_a_truncation(self) -> None:
        class Brief(StumpTracks):
            time_limit = 50

        env = Brief()
        env.reset(seed=0)
        ends = [env.step(np.zeros(4, dtype=np.float32))[2:4] for _ in range(50)]
        assert ends == [(False, False)] * 49 + [(False, True)]
        assert StumpTracks.time_limit == 2000

    def test_lidar_reports_the_nearest_of_two_walls(self) -> None:
        env = StumpTracks()
        ground = np.array([[0, GROUND_LEVEL], [100, GROUND_LEVEL]], dtype=np.float32)

        def foremost_ray(*walls: float) -> float:
            corners = [np.array([[x, 3], [x + 0.2, 3], [x + 0.2, 9], [x, 9]], np.float32) for x in walls]
            return float(env.start(Track(ground, tuple(corners)), 0.0)[23])

        near, far = foremost_ray(6.5), foremost_ray(7.5)
        assert (far - near) * 160 / 30 * np.sin(1.35) == pytest.approx(1.0, abs=1e-4)
        assert foremost_ray(7.5, 6.5) == foremost_ray(6.5, 7.5) == near

    @pytest.mark.medium
    def test_memory_stays_flat_over_resets(self) -> None:
        env = StumpTracks()

        def reset_often(times: int) -> None:
            for seed in range(times):
                env.reset(seed=seed, options={"task": [1.0, 0.5]})

        reset_often(300)
        before = resident_kilobytes()
        reset_often(1500)
        assert resident_kilobytes() - before < 700  # a leaked fixture a reset would be 1500 times 285 bytes

    @pytest.mark.medium
    def test_memory_stays_flat_over_envs_made_and_closed(self) -> None:
        def make_and_close(times: int) -> None:
            for seed in range(times):
                env = gym.make("chiron/StumpTracks-v0")
                env.reset(seed=seed)
                env.close()

        make_and_close(100)
        before = resident_kilobytes()
        make_and_close(400)
        assert resident_kilobytes() - before < 400  # a leaked track would be 400 times 10 kilobytes


def resident_kilobytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

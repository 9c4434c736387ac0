from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from chiron.envs.walkers.layouts.obstacle_course import (
    FeatureKind,
    course_track,
    hardcore_kinds,
    pits,
    stairs,
    stumps,
)
from chiron.envs.walkers.open_ended_tracks import TEST_ENVS, OpenEndedTracks
from chiron.envs.walkers.track import GROUND_LEVEL, STEP, Track
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker
from numpy.typing import NDArray


def course(*kinds: FeatureKind, roughness: float = 0.0, seed: int = 0) -> Track:
    return course_track(np.random.default_rng(seed), roughness, kinds)


def task_track(seed: int = 0, **task: float) -> Track:
    env = OpenEndedTracks()
    vector = env.task_space.to_vector(task)
    return env.make_track(np.random.default_rng(seed), **env.settings.values_in(vector))


def in_steps(track: Track) -> NDArray[np.float64]:
    """Left, right, bottom and top of every obstacle, in steps from start and start pad, shape (n, 4)."""
    corners = (np.array(track.obstacles, dtype=np.float64).reshape(-1, 4, 2) - [0, GROUND_LEVEL]) / STEP
    low, high = corners.min(axis=1), corners.max(axis=1)
    return np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1)


def surface(track: Track, at: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """How high a walker stands at places given in steps: on the ground, or on an obstacle over it."""
    x = np.asarray(at, dtype=np.float64)
    ground = np.interp(x * STEP, *track.ground.astype(np.float64).T)
    height = (ground - GROUND_LEVEL) / STEP
    for left, right, _, top in in_steps(track):
        height = np.where((left < x) & (x < right), np.maximum(height, top), height)
    return height


@pytest.mark.parametrize(
    ("hardcore", "kinds"), [(False, []), (True, hardcore_kinds())], ids=["grass", "hardcore"]
)
@pytest.mark.parametrize("seed", range(10))
def test_courses_are_gymnasiums_own(hardcore: bool, kinds: list[FeatureKind], seed: int) -> None:
    reference: Any = BipedalWalker(hardcore=hardcore)
    reference.np_random = np.random.default_rng(seed)
    reference._generate_terrain(hardcore)
    track = course(*kinds, roughness=1.0, seed=seed)

    x = np.array(reference.terrain_x)
    np.testing.assert_allclose(track.ground[:, 0].max(), x.max())
    np.testing.assert_allclose(np.interp(x, *track.ground.T), reference.terrain_y, atol=2e-5)
    fixtures = [body.fixtures[0].shape.vertices for body in reversed(reference.terrain)]
    boxes = [sorted(vertices) for vertices in fixtures if len(vertices) == 4]
    np.testing.assert_allclose(sorted(boxes), sorted(sorted(c.tolist()) for c in track.obstacles), atol=2e-5)
    assert len(boxes) == len(track.obstacles)


def flight_first(height: float, count: int) -> Track:
    """A course of stairs whose first flight goes up or, with a negative height, down."""
    kind = stairs(abs(height), abs(height), count)
    tracks = (course(kind, seed=seed) for seed in range(50))
    return next(track for track in tracks if (in_steps(track)[0, 3] > 0.0) == (height > 0))


class TestFeatures:
    def test_a_pit_is_as_wide_as_it_says_and_four_steps_deep(self) -> None:
        track = course(pits(2.5, 2.5))
        left_wall, right_wall = in_steps(track)[:2]
        assert left_wall.tolist() == pytest.approx([20, 21, -4, 0], abs=1e-4)
        assert right_wall[0] - left_wall[1] == pytest.approx(2.5, abs=1e-4)
        edge = left_wall[1]
        assert surface(track, [edge - 0.5, edge + 0.5, edge + 2.0, edge + 3.0]).tolist() == pytest.approx(
            [0, -4, -4, 0], abs=1e-4
        )

    @pytest.mark.parametrize("width", [0.0, 0.3, 1.0])
    def test_narrow_pits_keep_the_ground_a_chain(self, width: float) -> None:
        assert (np.diff(course(pits(width, width)).ground[:, 0]) > 0).all()

    @pytest.mark.parametrize("count", [1, 2, 9])
    @pytest.mark.parametrize("height", [0.3, 2.0, -0.3, -2.0])
    def test_a_flight_of_n_stairs_changes_the_level_n_times(self, height: float, count: int) -> None:
        track = flight_first(height, count)
        start = in_steps(track)[0, 0]
        levels = surface(track, start + np.arange(-0.5, 4 * count + 1, 0.25) + 0.01)
        changes = np.diff(levels)
        changes = changes[np.abs(changes) > 1e-3]
        np.testing.assert_allclose(changes, [height] * count, atol=1e-3)

    def test_nothing_opens_between_stairs(self) -> None:
        for height in (0.3, 4.0, -4.0):
            boxes = in_steps(flight_first(height, 5))[:5]
            assert all(b[2] <= a[3] + 1e-4 and a[2] <= b[3] + 1e-4 for a, b in pairwise(boxes))

    def test_a_stump_has_its_width_and_height(self) -> None:
        left, right, bottom, top = in_steps(course(stumps(1.5, 1.5)))[0]
        assert [right - left, bottom, top] == pytest.approx([1, 0, 1.5], abs=1e-4)
        assert in_steps(course(stumps(0.0, 0.0)))[0, 3] == pytest.approx(0.05, abs=1e-4)

    def test_five_to_nine_steps_of_grass_lie_between_features(self) -> None:
        gaps = []
        for seed in range(40):
            boxes = in_steps(course(stumps(1, 1), seed=seed))
            gaps += np.round(boxes[1:, 0] - boxes[:-1, 1]).astype(int).tolist()
        assert set(gaps) == {5, 6, 7, 8, 9}

    def test_kinds_are_drawn_uniformly(self) -> None:
        tops = np.concatenate([in_steps(course(stumps(1, 1), stumps(2, 2), seed=k))[:, 3] for k in range(40)])
        assert (np.round(tops) == 1).mean() == pytest.approx(0.5, abs=0.08)


class TestTasks:
    def test_bounds_are_the_published_ones(self) -> None:
        space = OpenEndedTracks.task_space()
        assert space.columns == [
            "roughness",
            *("pit_gap_low", "pit_gap_high"),
            *("stump_height_low", "stump_height_high"),
            *("stair_height_low", "stair_height_high"),
            "stair_steps",
        ]
        assert space.low.tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
        assert space.high.tolist() == [10, 10, 10, 5, 5, 5, 5, 9]

    def test_what_a_task_does_not_name_is_easy(self) -> None:
        track = task_track()
        assert len(track.obstacles) == 0
        assert (track.ground[:, 1] == np.float32(GROUND_LEVEL)).all()

    @pytest.mark.parametrize(
        ("name", "least"), [("pit_gap", 0.8), ("stump_height", 0.2), ("stair_height", 0.2)]
    )
    def test_obstacles_too_small_are_omitted(self, name: str, least: float) -> None:
        for high, there in ((least - 0.01, False), (least + 0.01, True)):
            track = task_track(0, **{f"{name}_low": 0.0, f"{name}_high": high})
            assert (len(track.obstacles) > 0) == there

    def test_low_and_high_may_come_in_either_order(self) -> None:
        one = task_track(stump_height_low=1.0, stump_height_high=3.0)
        other = task_track(stump_height_low=3.0, stump_height_high=1.0)
        assert all((a == b).all() for a, b in zip(one.obstacles, other.obstacles, strict=True))

    def test_sizes_are_uniform_between_low_and_high(self) -> None:
        def sizes(name: str, low: float, high: float) -> NDArray[np.float64]:
            boxes = [in_steps(task_track(k, **{f"{name}_low": low, f"{name}_high": high})) for k in range(60)]
            if name == "pit_gap":
                return np.concatenate([b[1::2, 0] - b[: len(b) // 2 * 2 : 2, 1] for b in boxes])
            return np.concatenate([b[:, 3] for b in boxes])

        for name, low, high in (("stump_height", 1.0, 3.0), ("pit_gap", 2.0, 6.0)):
            drawn = sizes(name, low, high)
            assert drawn.min() >= low - 1e-3
            assert drawn.max() <= high + 1e-3
            assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))

    def test_stairs_go_up_and_down_in_flights_of_the_rounded_number(self) -> None:
        rises = set()
        for seed in range(20):
            boxes = in_steps(task_track(seed, stair_height_low=1.0, stair_height_high=1.0, stair_steps=2.6))
            first = boxes[:3]
            assert np.diff(first[:, 0]).tolist() == pytest.approx([4, 4], abs=1e-3)
            rises.add(round(first[1, 3] - first[0, 3]))
            if len(boxes) > 3:
                assert boxes[3, 0] - boxes[2, 1] > 4.9
        assert rises == {1, -1}

    def test_task_and_seed_together_name_a_level(self) -> None:
        task = {"roughness": 3.0, "stump_height_high": 2.0, "pit_gap_high": 4.0}
        same, again, other = task_track(1, **task), task_track(1, **task), task_track(2, **task)
        assert (same.ground == again.ground).all()
        assert not np.array_equal(same.ground, other.ground)

    def test_every_corner_of_the_space_can_be_built(self) -> None:
        env = OpenEndedTracks()
        space = env.task_space
        for seed in range(256):
            corner = np.array([(seed >> k) & 1 for k in range(8)])
            env.reset(seed=seed, options={"task": space.denormalize(corner)})
            observation = env.step(np.zeros(4, np.float32))[0]
            assert np.isfinite(observation).all()


class TestTestEnvs:
    @pytest.mark.parametrize("name", TEST_ENVS)
    def test_every_episode_plays_it_whatever_the_task(self, name: str) -> None:
        env = OpenEndedTracks(test_env=name)
        space = env.task_space
        hard, _ = env.reset(seed=3, options={"task": space.high})
        easy, _ = env.reset(seed=3, options={"task": space.low})
        assert hard.tolist() == easy.tolist()

    def test_they_are_what_their_names_say(self) -> None:
        tracks = {
            name: OpenEndedTracks(test_env=name).make_track(np.random.default_rng(1)) for name in TEST_ENVS
        }
        assert len(tracks["BipedalWalker-v3"].obstacles) == 0
        assert np.ptp(tracks["roughness"].ground[:, 1]) > 2 * np.ptp(tracks["BipedalWalker-v3"].ground[:, 1])
        assert np.ptp(tracks["stump_height"].ground[:, 1]) == 0
        np.testing.assert_allclose(in_steps(tracks["stump_height"])[:, 3], 2.0, atol=1e-4)
        pits = in_steps(tracks["pit_gap"])
        np.testing.assert_allclose(pits[1::2, 0] - pits[:-1:2, 1][: len(pits[1::2])], 5.0, atol=1e-4)
        steps = in_steps(tracks["stairs"])[:5]
        np.testing.assert_allclose(np.abs(np.diff(steps[:, 3])), 2.0, atol=1e-4)

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"test_env='moon' must be one of.*'BipedalWalkerHardcore-v3'"):
            OpenEndedTracks(test_env="moon")
        with pytest.raises(ValueError, match="pit_gap_low=None must be a number"):
            OpenEndedTracks(pit_gap_low=None)


def test_a_flight_longer_than_the_track_is_cut_off_at_its_end() -> None:
    env = OpenEndedTracks(stair_steps=100.0)
    vector = env.task_space.to_vector({"stair_height_low": 1.0, "stair_height_high": 1.0})
    for seed in range(20):
        track = env.make_track(np.random.default_rng(seed), **env.settings.values_in(vector))
        assert len(track.obstacles) >= 100
        assert np.isfinite(in_steps(track)).all()
    with pytest.raises(ValueError, match=r"stair_steps=1000 must lie in \[-100, 100\]"):
        OpenEndedTracks(stair_steps=1000.0)

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from chiron.envs.walkers.layouts.obstacles import (
    Hexagon,
    Obstacle,
    Stump,
    StumpRow,
    convex_hull,
    obstacle_track,
)
from chiron.envs.walkers.layouts.track_layout import hexagon
from chiron.envs.walkers.track import FINISH_X, GROUND_LEVEL, LENGTH, STEP, Polygons, Track
from chiron.envs.walkers.walker_body import BODIES
from chiron.envs.walkers.walker_simulation import WalkerSimulation
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

KINDS = [Stump(1.0), Stump(1.0, 2.0, 0.7), Hexagon(np.full(12, 1.0)), StumpRow(np.full(10, 1.0))]
IDS = ["stump", "turned stump", "hexagon", "stump row"]


def track(*kinds: Obstacle, spacing: float = 1.0, roughness: float = 0.0, seed: int = 0) -> Track:
    return obstacle_track(np.random.default_rng(seed), kinds, spacing, roughness)


def many(kind: Obstacle, seeds: int = 20) -> NDArray[np.float64]:
    """Corners of obstacles of one kind relative to the ground, shape (n, corners, 2), in track steps."""
    obstacles = np.array([o for seed in range(seeds) for o in track(kind, spacing=0.0, seed=seed).obstacles])
    return np.asarray((obstacles - [0, GROUND_LEVEL]) / STEP, dtype=np.float64)


def hexagon_points(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The six points whose hull a hexagon is, metres."""
    outline = np.empty((1, 6, 2))
    assert hexagon(numbers, STEP, outline) == (1, 6)
    points: NDArray[np.float64] = outline[0]
    return points


def area(corners: NDArray[np.floating]) -> float:
    x, y = (corners.astype(np.float64) - corners[0]).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@pytest.mark.parametrize("roughness", [0.0, 2.0])
class TestEveryKind:
    def test_ground_is_a_chain_from_start_past_the_finish(self, kind: Obstacle, roughness: float) -> None:
        ground = track(kind, roughness=roughness).ground
        assert ground[0, 0] == 0
        assert (np.diff(ground[:, 0]) > 0).all()
        assert ground[-1, 0] >= np.float32(LENGTH) > FINISH_X
        assert (ground[ground[:, 0] <= 20 * STEP, 1] == np.float32(GROUND_LEVEL)).all()
        assert (np.ptp(ground[:, 1]) > 0) == (roughness > 0)

    def test_corners_run_counterclockwise(self, kind: Obstacle, roughness: float) -> None:
        assert all(area(corners) > 0 for corners in track(kind, roughness=roughness).obstacles)

    def test_obstacles_stand_on_the_ground(self, kind: Obstacle, roughness: float) -> None:
        built = track(kind, roughness=roughness)
        for corners in built.obstacles:
            level = np.interp(corners[:, 0], *built.ground.T)
            assert (corners[:, 1] <= level + 1e-3).any()
            assert (corners[:, 1] > level + 1e-3).any()

    def test_can_be_walked_on(self, kind: Obstacle, roughness: float) -> None:
        env = WalkerSimulation(BODIES["default"], track(kind, roughness=roughness), 0.0)
        for _ in range(50):
            env.step([0.0] * 4)
        assert np.isfinite(env.observe()).all()


class TestStump:
    @pytest.mark.parametrize("spacing", [0.0, 0.5, 6.0])
    def test_is_one_step_wide_and_evenly_spaced_after_the_start_pad(self, spacing: float) -> None:
        obstacles = np.array(track(Stump(1.0), spacing=spacing).obstacles)
        left, right = obstacles[:, 0, 0], obstacles[:, 1, 0]
        assert left[0] == pytest.approx(20 * STEP)
        np.testing.assert_allclose(right - left, STEP, atol=2e-5)
        np.testing.assert_allclose(left[1:] - right[:-1], max(0.01, spacing), atol=2e-5)
        assert right[-1] + spacing > LENGTH - STEP

    def test_heights_are_normal_around_the_mean_with_a_floor(self) -> None:
        high = many(Stump(2.0))[:, 2, 1]
        assert high.mean() == pytest.approx(2.0, abs=0.01)
        assert high.std() == pytest.approx(0.1, abs=0.01)
        assert many(Stump(0.0))[:, 2, 1].min() == pytest.approx(0.05, abs=1e-4)

    def test_widths_are_normal_around_the_mean_with_a_floor(self) -> None:
        stumps = many(Stump(1.0, width=2.0))
        width = stumps[:, 1, 0] - stumps[:, 0, 0]
        assert width.mean() == pytest.approx(2.0, abs=0.01)
        assert width.std() == pytest.approx(0.1, abs=0.01)
        thin = many(Stump(1.0, width=0.0), seeds=2)
        assert (thin[:, 1, 0] - thin[:, 0, 0]).min() == pytest.approx(0.05, abs=1e-4)

    def test_turns_about_the_middle_of_its_base(self) -> None:
        upright, turned = many(Stump(1.5)), many(Stump(1.5, rotation=1.0))
        # Both begin at the same distance along the track, one leaning to the left, counterclockwise.
        middle = turned[:, :2].mean(axis=1)
        np.testing.assert_allclose(middle, upright[: len(middle), :2].mean(axis=1), atol=1e-4)
        base = turned[:, 1] - turned[:, 0]
        angle = np.arctan2(base[:, 1], base[:, 0])
        assert angle.mean() == pytest.approx(1.0, abs=0.01)
        assert angle.std() == pytest.approx(0.1, abs=0.01)
        np.testing.assert_allclose(np.hypot(*base.T), 1.0, atol=1e-4)

    def test_is_never_turned_clockwise(self) -> None:
        base = many(Stump(1.5, rotation=0.0))
        assert (base[:, 1, 1] - base[:, 0, 1]).min() >= 0


class TestHexagon:
    def test_is_the_hull_of_its_six_points(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(200):
            points = hexagon_points(Hexagon(rng.uniform(0, 4, 12)).draw(rng, 1)[0])
            expected = points[ConvexHull(points).vertices]
            hull = convex_hull(points)
            assert sorted(map(tuple, hull)) == sorted(map(tuple, expected))
            assert area(hull) == pytest.approx(ConvexHull(points).volume)

    def test_points_are_moved_from_the_base_shape_by_offsets_around_the_mean(self) -> None:
        mean = np.arange(12) / 4
        drawn = Hexagon(mean).draw(np.random.default_rng(0), 5000)
        points = np.array([hexagon_points(numbers) for numbers in drawn]) / STEP
        base = [(-0.5, 0.0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25), (0.5, 0.0)]
        expected = np.array(base) + mean.reshape(6, 2)
        expected[[0, 5], 1] = 0.0
        np.testing.assert_allclose(points.mean(axis=0), expected, atol=0.01)
        spread = points.std(axis=0)
        assert spread[[0, 5], 1].tolist() == [0, 0]
        np.testing.assert_allclose(np.delete(spread.ravel(), [1, 11]), 0.1, atol=0.01)

    def test_a_metre_and_the_gap_lie_between_two(self) -> None:
        built = track(Hexagon(np.zeros(12)), spacing=8.0)
        middles = [(corners[:, 0].min() + corners[:, 0].max()) / 2 for corners in built.obstacles]
        np.testing.assert_allclose(np.diff(middles), 9.0, atol=0.3)

    @pytest.mark.parametrize(
        "points",
        [[(1, 0)] * 6, [(0, 0), (1, 0), (2, 0), (3, 0)], [(0, 0), (1, 1), (2, 2)], [(0, 0), (0, 1e-4)]],
    )
    def test_points_without_an_area_become_a_polygon_that_box2d_can_build(
        self, points: Sequence[tuple[float, float]]
    ) -> None:
        moved = np.array(points, dtype=np.float64) + np.array([20.0, GROUND_LEVEL])
        hull = convex_hull(moved)
        assert area(hull) > 0
        for axis in (0, 1):
            assert hull[:, axis].min() == moved[:, axis].min()
            assert hull[:, axis].max() == pytest.approx(moved[:, axis].max() + 0.01)
        ground = track(Stump(1.0)).ground
        WalkerSimulation(BODIES["default"], Track(ground, (hull.astype(np.float32),)), 0.0).step([0.0] * 4)


class TestStumpRow:
    def test_five_stumps_stand_side_by_side_with_their_own_sizes(self) -> None:
        sizes = np.array([0.5, 1.0, 1.0, 2.0, 1.5, 0.5, 2.0, 1.5, 0.0, 0.0])
        rows = np.concatenate(
            [np.array(track(StumpRow(sizes), spacing=3.0, seed=seed).obstacles) for seed in range(60)]
        ).reshape(-1, 5, 4, 2)
        left, right = rows[..., 0, 0], rows[..., 1, 0]
        np.testing.assert_allclose(left[:, 1:], right[:, :-1], atol=1e-5)
        height = (rows[..., 2, 1] - GROUND_LEVEL) / STEP
        np.testing.assert_allclose(height.mean(axis=0)[:4], sizes[0:8:2], atol=0.03)
        np.testing.assert_allclose((right - left).mean(axis=0)[:4], sizes[1:8:2], atol=0.03)
        assert height[:, 4].min() == pytest.approx(0.05, abs=1e-4)

    def test_the_gap_follows_the_row(self) -> None:
        rows = np.array(track(StumpRow(np.full(10, 1.0)), spacing=3.0).obstacles).reshape(-1, 5, 4, 2)
        np.testing.assert_allclose(rows[1:, 0, 0, 0] - rows[:-1, 4, 1, 0], 3.0, atol=1e-4)


class TestSeveralKinds:
    def test_each_obstacle_is_of_a_kind_drawn_uniformly(self) -> None:
        counts = {4: 0, 5: 0, 6: 0}
        for seed in range(100):
            for corners in track(Stump(1.0), Hexagon(np.zeros(12)), spacing=2.0, seed=seed).obstacles:
                counts[len(corners)] += 1
        hexagons = counts[5] + counts[6]
        assert counts[4] / (counts[4] + hexagons) == pytest.approx(0.5, abs=0.05)

    def test_the_sequence_of_kinds_depends_on_the_seed(self) -> None:
        def sequence(seed: int) -> list[int]:
            return [len(corners) for corners in track(Stump(1.0), Hexagon(np.ones(12)), seed=seed).obstacles]

        assert sequence(0) == sequence(0) != sequence(1)


class TestRoughness:
    def test_bumps_are_those_of_the_recursion(self) -> None:
        ground = track(Stump(1.0), spacing=5.0, roughness=2.0).ground.astype(np.float64)
        x, y = ground[2:].T
        velocity, level = 0.0, GROUND_LEVEL
        pieces = int(np.ceil(5.0 / STEP)) + 1
        bumps = []
        for index, height in enumerate(y):
            if index % pieces == 0:
                assert height == pytest.approx(level, abs=1e-5)
                continue
            change = height - level
            bumps.append((change - 0.8 * velocity - 0.01 * np.sign(round(GROUND_LEVEL - level, 5))) * 30)
            velocity, level = change, height
        assert np.abs(bumps).max() <= 2.001
        assert np.std(bumps) == pytest.approx(2 / np.sqrt(3), rel=0.1)
        assert np.diff(x)[1 : pieces - 2] == pytest.approx(STEP, abs=1e-4)


class TestPolygons:
    def test_are_the_arrays_they_were_made_of(self) -> None:
        rng = np.random.default_rng(0)
        parts = tuple(rng.random((corners, 2), np.float32) for corners in (3, 5, 4))
        polygons = Polygons.of(parts)
        assert Polygons.of(polygons) is polygons
        for ways in (
            list(polygons),
            [polygons[k] for k in range(3)],
            polygons[:],
            [*polygons[:2], polygons[-1]],
        ):
            assert all(np.array_equal(a, b) for a, b in zip(ways, parts, strict=True))
        with pytest.raises(IndexError):
            polygons[3]
        assert list(Polygons.of(())) == []

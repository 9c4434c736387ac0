"""The content of rendered frames, and that rendering does not change an env."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest
from chiron.envs import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, LENGTH, START_X, STEP, Track
from chiron.envs.walkers.track_difficulty import (
    difficulty_color,
    ground_difficulty,
    knee_height,
    obstacle_difficulty,
)
from chiron.envs.walkers.walker_body import BODIES
from chiron.envs.walkers.walker_drawing import (
    FAR_LEG,
    GROUND,
    HEIGHT,
    HULL,
    LIDAR,
    NEAR_LEG,
    SKY,
    WIDTH,
    WalkerDrawing,
    far_and_near_parts,
)
from chiron.envs.walkers.walker_simulation import LIDAR_RANGE
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env
from numpy.typing import ArrayLike, NDArray

BODY = BODIES["default"]
FLAT = np.array([(0, GROUND_LEVEL), (LENGTH, GROUND_LEVEL)], np.float32)


def stump(x: float, height: float, base: float = GROUND_LEVEL) -> NDArray[np.float32]:
    corners = [(x, base), (x + 0.5, base), (x + 0.5, base + height), (x, base + height)]
    return np.array(corners, np.float32)


def standing(x: float, y: float = GROUND_LEVEL + BODY.spawn_height) -> NDArray[np.float64]:
    """Poses of a walker with straight, spread legs."""
    poses = [(x + part.position[0], y + part.position[1], 0.0) for part in BODY.parts]
    far, near = far_and_near_parts(BODY)
    shift = np.zeros((len(poses), 3))
    shift[far, 0], shift[near, 0] = -0.5, 0.5
    return np.array(poses) + shift


def draw(track: Track, poses: ArrayLike, **options: Any) -> WalkerDrawing:
    drawing = WalkerDrawing(BODY, 50)
    drawing.draw(track, poses, **options)
    return drawing


def frame_of(env: StumpTracks) -> NDArray[np.uint8]:
    frame = env.render()
    assert frame is not None
    return frame


def window_content() -> NDArray[np.uint8]:
    window = pygame.display.get_surface()
    assert window is not None
    return pygame.surfarray.array3d(window)


def color_at(drawing: WalkerDrawing, point: ArrayLike) -> NDArray[np.int64]:
    column, row = drawing.project(point)
    color: NDArray[np.int64] = drawing.pixels()[row, column].astype(np.int64)
    return color


def assert_shows(drawing: WalkerDrawing, point: ArrayLike, color: ArrayLike) -> None:
    # Scaling a frame down rounds its colours.
    np.testing.assert_allclose(color_at(drawing, point), np.asarray(color), atol=4)


class TestFrame:
    def test_shows_every_thing_where_it_is_in_its_colour(self) -> None:
        x = 30.0
        poses = standing(x)
        drawing = draw(Track(FLAT, ()), poses)
        far, near = far_and_near_parts(BODY)
        assert_shows(drawing, poses[0, :2] + (-0.5, 0), HULL)
        for part in far:
            assert_shows(drawing, poses[part, :2], FAR_LEG)
        for part in near:
            assert_shows(drawing, poses[part, :2], NEAR_LEG)
        assert_shows(drawing, (x + 3, GROUND_LEVEL + 0.1), SKY)
        assert_shows(drawing, (x + 3, GROUND_LEVEL - 0.1), GROUND)

    def test_a_turned_part_is_turned(self) -> None:
        poses = standing(30.0)
        poses[0] += (0, 1, np.pi / 2)
        drawing = draw(Track(FLAT, ()), poses)
        # The hull's nose, which is a metre ahead of its centre, points up.
        assert_shows(drawing, poses[0, :2] + (0, 0.9), HULL)
        assert_shows(drawing, poses[0, :2] + (0.9, 0), SKY)

    def test_the_harder_obstacle_is_coloured_as_harder(self) -> None:
        heights = (0.2, 0.5, 0.9, 1.2)
        stumps = tuple(stump(31 + 2 * i, height) for i, height in enumerate(heights))
        drawing = draw(Track(FLAT, stumps), standing(30.0))
        lightness = []
        for corners, height in zip(stumps, heights, strict=True):
            center = corners.mean(axis=0)
            assert_shows(drawing, center, difficulty_color(height / knee_height(BODY)))
            lightness.append(color_at(drawing, center).sum())
        assert lightness == sorted(lightness, reverse=True)
        assert len(set(lightness)) == len(heights)

    def test_steep_ground_is_coloured_and_gentle_ground_is_not(self) -> None:
        ground = [(0, 3), (31, 3), (31.5, 4), (33, 4), (35, 4.5), (LENGTH, 4.5)]
        track = Track(np.array(ground, np.float32), ())
        drawing = draw(track, standing(30.0, 3 + BODY.spawn_height))
        assert_shows(drawing, (31.25, 3.5), difficulty_color(1 / knee_height(BODY)))
        assert_shows(drawing, (34, 4.15), GROUND)

    def test_flags_stand_at_start_and_finish(self) -> None:
        for walker_x, flag_x in ((START_X + 2, START_X), (80.0, 190 * STEP)):
            drawing = draw(Track(FLAT, ()), standing(walker_x))
            difference = np.abs(color_at(drawing, (flag_x, GROUND_LEVEL + 3.2)) - SKY).sum()
            assert difference > 100

    def test_lidar_rays_end_where_the_lidar_says(self) -> None:
        env = StumpTracks(render_mode="rgb_array")
        env.reset(seed=0, options={"task": [2.0, 1.0]})
        for _ in range(5):
            observation, *_ = env.step(np.zeros(4, np.float32))
        assert env._simulation is not None
        hull = env._simulation.part_poses()[0, :2]
        angles = 1.5 * np.arange(10) / 10
        directions = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
        expected = hull + LIDAR_RANGE * observation[-10:, None] * directions
        ends = env._simulation.lidar_ends()
        np.testing.assert_allclose(ends, expected, atol=1e-5)

        track = Track(env.track.ground, ())
        drawing = draw(track, standing(*hull), lidar_ends=ends)
        without = draw(track, standing(*hull))
        for end in ends:
            assert_shows(drawing, end, LIDAR)
            assert np.abs(color_at(without, end) - LIDAR).sum() > 30

    def test_lidar_is_drawn_on_request(self) -> None:
        env = StumpTracks(render_mode="rgb_array")
        env.reset(seed=0)
        plain = frame_of(env)
        env.draw_lidar = True
        assert not np.array_equal(plain, frame_of(env))


class TestCamera:
    def test_follows_the_walker_along_the_track(self) -> None:
        columns = {draw(Track(FLAT, ()), standing(x)).project((x, 5))[0] for x in (20, 40.5, 70)}
        assert len(columns) == 1

    def test_stops_at_both_ends_of_the_track(self) -> None:
        drawing = draw(Track(FLAT, ()), standing(1))
        assert drawing.project((0, 5))[0] == 0
        drawing = draw(Track(FLAT, ()), standing(92))
        assert drawing.project((LENGTH, 5))[0] == WIDTH

    @pytest.mark.parametrize("slope", [-1.0, -0.3, 0.3, 1.0])
    def test_follows_a_track_that_climbs_or_falls(self, slope: float) -> None:
        track = Track(np.array([(0, 0), (LENGTH, slope * LENGTH)], np.float32), ())
        for x in (10.0, 50.0, 80.0):
            poses = standing(x, slope * x + BODY.spawn_height)
            drawing = draw(track, poses)
            assert_shows(drawing, poses[0, :2] + (-0.5, 0), HULL)
            column, row = drawing.project((x, slope * x))
            assert 0 <= column < WIDTH
            assert 0 <= row < HEIGHT

    def test_sees_a_walker_in_a_deep_pit(self) -> None:
        ground = [(0, 3), (29, 3), (29.1, -6), (31, -6), (31.1, 3), (LENGTH, 3)]
        poses = standing(30.0, -5.0)
        drawing = draw(Track(np.array(ground, np.float32), ()), poses)
        assert_shows(drawing, poses[0, :2] + (-0.5, 0), HULL)


class TestDifficulty:
    def test_is_the_height_in_heights_of_the_knees(self) -> None:
        knee = knee_height(BODY)
        assert knee == pytest.approx(34 / 30)
        track = Track(FLAT, (stump(10, knee), stump(20, knee / 2), stump(30, 3 * knee)))
        np.testing.assert_allclose(obstacle_difficulty(track, BODY), [1, 0.5, 3], rtol=1e-5)

    def test_counts_from_the_lower_ground_beside_an_obstacle(self) -> None:
        ground = np.array([(0, 2), (10, 2), (10.2, 5), (30, 5), (30.3, 1), (LENGTH, 1)], np.float32)
        up, level, down, sunk = stump(9.8, 3, 2), stump(20, 1, 5), stump(29.9, 4, 1), stump(25, 1, 1)
        expected = np.array([3, 1, 4, 0]) / knee_height(BODY)
        measured = obstacle_difficulty(Track(ground, (up, level, down, sunk)), BODY)
        np.testing.assert_allclose(measured, expected, rtol=1e-5)

    def test_of_ground_counts_what_is_steep_up_or_down(self) -> None:
        ground = np.array([(0, 2), (10, 2), (10.5, 4), (11, 1), (15, 2), (LENGTH, 2)], np.float32)
        expected = np.array([0, 2, 3, 0, 0]) / knee_height(BODY)
        np.testing.assert_allclose(ground_difficulty(Track(ground, ()), BODY), expected)

    def test_colours_grow_darker_to_the_end_of_the_scale(self) -> None:
        colors = difficulty_color(np.linspace(0, 1.25, 50))
        assert colors.dtype == np.uint8
        luminance = colors @ np.array([0.2126, 0.7152, 0.0722])
        assert (np.diff(luminance) < 0).all()
        np.testing.assert_array_equal(difficulty_color(1.25), difficulty_color(9.0))


class TestRendering:
    def test_passes_gymnasiums_checks_in_every_render_mode(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        for render_mode in (None, "rgb_array"):
            env = gymnasium.make("chiron/StumpTracks-v0", render_mode=render_mode)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                check_env(env.unwrapped)
            env.close()

    def test_gives_a_new_frame_after_each_step(self) -> None:
        env = StumpTracks(render_mode="rgb_array")
        env.reset(seed=0)
        frames = [frame_of(env)]
        for _ in range(5):
            env.step(np.ones(4, np.float32))
            frames.append(frame_of(env))
        for before, after in pairwise(frames):
            assert before.shape == after.shape == (HEIGHT, WIDTH, 3)
            assert before.dtype == np.uint8
            assert not np.array_equal(before, after)

    @pytest.mark.parametrize("render_mode", ["rgb_array", "human"])
    def test_changes_nothing_in_an_episode(self, render_mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        monkeypatch.setattr("pygame.time.Clock", _Hurry)
        seen: list[list[Any]] = []
        for mode in (None, render_mode):
            env = StumpTracks(render_mode=mode)
            env.draw_lidar = True
            actions = np.random.default_rng(0)
            episode: list[Any] = [env.reset(seed=3, options={"task": [0.5, 2.0]})[0].tolist()]
            for _ in range(40):
                observation, reward, *_ = env.step(actions.uniform(-1, 1, 4).astype(np.float32))
                episode.append((observation.tolist(), reward))
                if mode is not None:
                    env.render()
            env.close()
            seen.append(episode)
        assert seen[0] == seen[1]

    def test_window_shows_every_step_and_can_be_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        monkeypatch.setattr("pygame.time.Clock", _Hurry)
        env = StumpTracks(render_mode="human")
        env.reset(seed=0)
        before = window_content()
        assert before.shape == (WIDTH, HEIGHT, 3)
        env.step(np.ones(4, np.float32))
        assert not np.array_equal(before, window_content())
        assert env.render() is None
        env.close()
        assert not pygame.display.get_init()
        env.close()
        env.render()
        assert pygame.display.get_init()
        env.close()

    def test_frames_come_at_the_speed_of_the_env(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        monkeypatch.setattr("pygame.time.Clock", _Hurry)
        _Hurry.asked.clear()
        env = StumpTracks(render_mode="human")
        env.reset(seed=0)
        env.step(np.ones(4, np.float32))
        env.close()
        assert _Hurry.asked == [50, 50]

    @pytest.mark.medium
    def test_an_env_that_is_not_rendered_loads_nothing_for_it(self) -> None:
        program = (
            "import sys, envs; w = envs.StumpTracks(); w.reset(seed=0); w.step(w.action_space.sample());"
            "sys.exit('pygame' in sys.modules)"
        )
        home = Path(__file__).parents[2]
        assert subprocess.run([sys.executable, "-c", program], cwd=home, check=False).returncode == 0

    def test_without_a_render_mode_says_so(self) -> None:
        env = StumpTracks()
        env.reset(seed=0)
        with pytest.warns(UserWarning, match="make this env with render_mode="):
            assert env.render() is None

    def test_needs_a_reset_first(self) -> None:
        with pytest.raises(RuntimeError, match=r"call reset\(\) before render"):
            StumpTracks(render_mode="rgb_array").render()

    def test_unknown_render_mode_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"render_mode='ansi' must be one of \['human', 'rgb_array'\]"):
            StumpTracks(render_mode="ansi")

    def test_missing_pygame_is_named_in_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pygame", None)
        env = StumpTracks(render_mode="rgb_array")
        env.reset(seed=0)
        with pytest.raises(DependencyNotInstalled, match="pip install"):
            env.render()

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory use from /proc")
    @pytest.mark.medium
    def test_memory_stays_flat(self) -> None:
        def use(times: int) -> None:
            for seed in range(times):
                env = StumpTracks(render_mode="rgb_array")
                env.reset(seed=seed)
                for _ in range(5):
                    env.render()
                env.close()

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

        use(5)
        before = resident()
        use(30)
        # One lost canvas is 14 MB, one lost frame 1 MB.
        assert resident() - before < 40e6


class _Hurry:
    """A clock that never waits and records the requested frame rates."""

    asked: list[int] = []  # noqa: RUF012 (shared on purpose)

    def tick(self, frames_per_second: int) -> int:
        self.asked.append(frames_per_second)
        return 0

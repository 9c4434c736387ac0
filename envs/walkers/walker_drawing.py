"""Draws a walker and its track with pygame."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

from .track import FINISH_X, START_X, Track
from .track_difficulty import difficulty_color, ground_difficulty, obstacle_difficulty
from .walker_body import WalkerBody

if TYPE_CHECKING:
    import pygame

WIDTH, HEIGHT = 960, 400
"""Size of a frame, pixels."""
PIXELS_PER_METRE = 56.0

SKY: tuple[int, int, int] = (234, 242, 248)
GROUND: tuple[int, int, int] = (84, 96, 112)
HULL: tuple[int, int, int] = (43, 108, 176)
NEAR_LEG: tuple[int, int, int] = (86, 156, 222)
FAR_LEG: tuple[int, int, int] = (27, 62, 107)
LIDAR: tuple[int, int, int] = (0, 140, 125)
_OUTLINE = (24, 34, 48)
_MARK = (196, 205, 215)
_START_FLAG = (43, 108, 176)

_FINENESS = 3
"""Everything is drawn this many times larger, then scaled down, which smooths edges and motion."""
_WALKER_AT = 0.28
"""Horizontal position of the walker, as a share of the frame's width."""
_GROUND_AT = 0.25
"""Height of the ground around the walker, as a share of the frame's height."""
_HEADROOM = 1.2
"""Metres that are always visible above and below the hull's centre, whatever the ground."""
_GROUND_AROUND = 5.0
"""The camera follows the mean height of the ground within this distance of the walker, metres."""
_MARK_EVERY = 10
"""Metres between distance marks."""


class WalkerDrawing:
    """Draws frames of one walker, with a camera that follows it horizontally and vertically.

    Obstacles, and edges of the ground steeper than 45 degrees, are coloured by difficulty
    (`track_difficulty`). The nearer and the farther leg of each pair have different colours.

    Args:
        body: The walker.
        frames_per_second: Frame rate of a window.

    Raises:
        gymnasium.error.DependencyNotInstalled: If pygame is missing.
    """

    def __init__(self, body: WalkerBody, frames_per_second: int) -> None:
        try:
            # Imported here: only drawing needs it.
            import pygame
        except ImportError as error:
            raise DependencyNotInstalled('drawing needs pygame: pip install "gymnasium[box2d]"') from error
        self._pygame = pygame
        self._body = body
        self._frames_per_second = frames_per_second
        self._canvas = pygame.Surface((WIDTH * _FINENESS, HEIGHT * _FINENESS), depth=32)
        self._frame = pygame.Surface((WIDTH, HEIGHT), depth=32)
        self._labels: dict[int, pygame.Surface] = {}
        self._window: pygame.Surface | None = None
        self._clock: pygame.time.Clock | None = None
        self._corner = np.zeros(2)
        self._use_track(Track(np.zeros((2, 2), np.float32), ()))
        self._far_parts, self._near_parts = far_and_near_parts(body)

    def draw(self, track: Track, poses: ArrayLike, lidar_ends: ArrayLike | None = None) -> None:
        """Draw the next frame.

        Args:
            track: The walker's track.
            poses: x and y in metres and angle in radians of each of the body's parts, shape (n, 3).
            lidar_ends: Ends of the rays from the hull's centre, metres, shape (k, 2); None draws none.
        """
        if track is not self._track:
            self._use_track(track)
        poses = np.asarray(poses, np.float64)
        hull = poses[0, :2]
        self._corner = self._place_camera(hull)
        self._canvas.fill(SKY)
        self._draw_flags()
        self._draw_obstacles()
        self._draw_ground()
        if lidar_ends is not None:
            for end in np.asarray(lidar_ends):
                self._draw_line([hull, end], LIDAR, 0.035)
                self._draw_disc(end, 0.06, LIDAR)
        self._draw_parts(self._far_parts, poses, FAR_LEG)
        self._draw_parts([0], poses, HULL)
        self._draw_parts(self._near_parts, poses, NEAR_LEG)
        self._draw_disc(hull, 0.13, _OUTLINE)
        self._draw_disc(hull, 0.09, LIDAR)
        self._pygame.transform.smoothscale(self._canvas, (WIDTH, HEIGHT), self._frame)

    def pixels(self) -> NDArray[np.uint8]:
        """The last drawn frame: RGB, uint8 of shape (HEIGHT, WIDTH, 3)."""
        pixels: NDArray[np.uint8] = self._pygame.surfarray.array3d(self._frame)
        return np.ascontiguousarray(pixels.swapaxes(0, 1))

    def show(self) -> None:
        """Show the last drawn frame in a window, at the frame rate."""
        pygame = self._pygame
        if self._window is None or self._clock is None:
            pygame.display.init()
            pygame.display.set_caption("Chiron")
            self._window = pygame.display.set_mode((WIDTH, HEIGHT))
            self._clock = pygame.time.Clock()
        self._window.blit(self._frame, (0, 0))
        pygame.event.pump()
        self._clock.tick(self._frames_per_second)
        pygame.display.flip()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._pygame.display.quit()
        self._window = self._clock = None

    def project(self, point: ArrayLike) -> tuple[int, int]:
        """Column and row of a point, given in metres, in the last drawn frame."""
        x, y = (np.asarray(point, np.float64) - self._corner) * PIXELS_PER_METRE
        return math.floor(x), math.floor(HEIGHT - y)

    def _use_track(self, track: Track) -> None:
        self._track = track
        self._obstacle_colors = difficulty_color(obstacle_difficulty(track, self._body)).tolist()
        steepness = ground_difficulty(track, self._body)
        self._steep_edges = np.flatnonzero(steepness)
        self._steep_colors = difficulty_color(steepness[self._steep_edges]).tolist()

    def _place_camera(self, hull: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower left corner of the visible area, metres."""
        width, height = WIDTH / PIXELS_PER_METRE, HEIGHT / PIXELS_PER_METRE
        ground_x, ground_y = self._track.ground.T
        x, y = hull
        left = max(ground_x[0], min(x - _WALKER_AT * width, ground_x[-1] - width))
        around = np.linspace(x - _GROUND_AROUND, x + _GROUND_AROUND, 41)
        bottom = np.interp(around, ground_x, ground_y).mean() - _GROUND_AT * height
        bottom = min(max(bottom, y + _HEADROOM - height), y - _HEADROOM)
        return np.array([left, bottom])

    def _fine(self, points: ArrayLike) -> list[list[float]]:
        """Points in metres as pixels of the canvas."""
        scaled = (np.asarray(points, np.float64) - self._corner) * (PIXELS_PER_METRE * _FINENESS)
        scaled[:, 1] = HEIGHT * _FINENESS - scaled[:, 1]
        pixels: list[list[float]] = scaled.tolist()
        return pixels

    def _is_seen(self, low: float, high: float) -> bool:
        left = self._corner[0]
        return bool(high > left and low < left + WIDTH / PIXELS_PER_METRE)

    def _draw_polygon(self, points: ArrayLike, color: Any, outline: Any) -> None:
        pixels = self._fine(points)
        self._pygame.draw.polygon(self._canvas, color, pixels)
        self._pygame.draw.lines(self._canvas, outline, True, pixels, _FINENESS)

    def _draw_line(self, points: ArrayLike, color: Any, width: float) -> None:
        thickness = max(1, round(width * PIXELS_PER_METRE * _FINENESS))
        self._pygame.draw.lines(self._canvas, color, False, self._fine(points), thickness)

    def _draw_disc(self, center: NDArray[np.float64], radius: float, color: Any) -> None:
        (pixel,) = self._fine(center[None])
        self._pygame.draw.circle(self._canvas, color, pixel, radius * PIXELS_PER_METRE * _FINENESS)

    def _draw_obstacles(self) -> None:
        for corners, color in zip(self._track.obstacles, self._obstacle_colors, strict=True):
            if self._is_seen(corners[:, 0].min(), corners[:, 0].max()):
                self._draw_polygon(corners, color, _OUTLINE)

    def _draw_ground(self) -> None:
        ground = self._track.ground
        x = ground[:, 0]
        left, bottom = self._corner
        right = left + WIDTH / PIXELS_PER_METRE
        first = max(0, int(np.searchsorted(x, left, "right")) - 1)
        last = min(len(x) - 1, int(np.searchsorted(x, right, "left")))
        seen = ground[first : last + 1].astype(np.float64)
        below = [(seen[-1, 0], bottom - 1), (seen[0, 0], bottom - 1)]
        self._pygame.draw.polygon(self._canvas, GROUND, self._fine(np.concatenate([seen, below])))
        self._draw_line(seen, _OUTLINE, 0.045)
        for edge, color in zip(self._steep_edges, self._steep_colors, strict=True):
            if first <= edge < last:
                self._draw_line(ground[edge : edge + 2], color, 0.14)
        for metre in range(math.ceil(left / _MARK_EVERY) * _MARK_EVERY, math.ceil(right), _MARK_EVERY):
            surface = float(np.interp(metre, x, ground[:, 1]))
            self._draw_line([(metre, surface - 0.08), (metre, surface - 0.28)], _MARK, 0.045)
            label = self._label(metre)
            ((column, row),) = self._fine([(metre, surface - 0.36)])
            self._canvas.blit(label, (column - label.get_width() / 2, row))

    def _label(self, metre: int) -> pygame.Surface:
        if metre not in self._labels:
            self._pygame.font.init()
            font = self._pygame.font.Font(None, round(0.42 * PIXELS_PER_METRE * _FINENESS))
            self._labels[metre] = font.render(f"{metre} m", True, _MARK, GROUND)
        return self._labels[metre]

    def _draw_flags(self) -> None:
        for x, is_finish in ((START_X, False), (FINISH_X, True)):
            if not self._is_seen(x, x + 1.2):
                continue
            foot = float(np.interp(x, *self._track.ground.T))
            top = foot + 4.0
            self._draw_line([(x, foot), (x, top)], _OUTLINE, 0.06)
            if not is_finish:
                cloth = [(x, top), (x, top - 0.6), (x + 0.9, top - 0.3)]
                self._draw_polygon(cloth, _START_FLAG, _OUTLINE)
                continue
            size = 0.25
            for column in range(4):
                for row in range(3):
                    color = _OUTLINE if (column + row) % 2 else (255, 255, 255)
                    left, high = x + column * size, top - row * size
                    square = [
                        (left, high),
                        (left + size, high),
                        (left + size, high - size),
                        (left, high - size),
                    ]
                    self._draw_polygon(square, color, color)
            right, low = x + 4 * size, top - 3 * size
            self._draw_line([(x, top), (right, top), (right, low), (x, low), (x, top)], _OUTLINE, 0.03)

    def _draw_parts(self, parts: list[int], poses: NDArray[np.float64], color: Any) -> None:
        for index in parts:
            self._draw_polygon(placed(self._body.parts[index].vertices, poses[index]), color, _OUTLINE)
        for joint in self._body.joints:
            if joint.child in parts:
                (hinge,) = placed([joint.parent_anchor], poses[joint.parent])
                self._draw_disc(hinge, 0.075, _OUTLINE)


def placed(points: ArrayLike, pose: ArrayLike) -> NDArray[np.float64]:
    """Points of a part, shape (k, 2), transformed by its pose (x, y, angle)."""
    x, y, angle = np.asarray(pose, np.float64)
    cos, sin = math.cos(angle), math.sin(angle)
    turned: NDArray[np.float64] = np.asarray(points, np.float64) @ np.array([(cos, sin), (-sin, cos)])
    moved: NDArray[np.float64] = turned + np.array([x, y])
    return moved


def far_and_near_parts(body: WalkerBody) -> tuple[list[int], list[int]]:
    """The parts of the farther and of the nearer leg of each pair; the farther one comes first in a body."""
    legs: list[list[int]] = []
    for joint in body.joints:
        leg = next((leg for leg in legs if joint.parent in leg), None)
        if leg is None:
            legs.append([joint.child])
        else:
            leg.append(joint.child)
    return list(chain(*legs[::2])), list(chain(*legs[1::2]))

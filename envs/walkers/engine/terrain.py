"""A track as records: obstacles and segments with their boxes, searchable along x."""

from __future__ import annotations

from .kernel import Record, kernel
from .lanes import maximum, minimum
from .layout import BAD_GROUND, BAD_OBSTACLE, NO_ERROR
from .settings import EPSILON, MAX_FLOAT, ONE, POLYGON_RADIUS, ZERO
from .shapes import bounds_of, normalize, set_extended_box, set_polygon


@kernel
def _set_reaches(fixtures: Record, count: int) -> None:
    """Store in each fixture how far it and those before it reach forwards, and those after it backwards."""
    reach = -MAX_FLOAT
    for k in range(count):
        reach = maximum(reach, fixtures[k].box.upper_x)
        fixtures[k].reach_upper = reach
    reach = MAX_FLOAT
    for k in range(count - 1, -1, -1):
        reach = minimum(reach, fixtures[k].box.lower_x)
        fixtures[k].reach_lower = reach


@kernel
def set_obstacles(obstacles: Record, corners: Record, start: int, ends: Record) -> int:
    """Lay out obstacles with concatenated corners; those of obstacle k end `ends[k]` after `start`."""
    xs, ys = corners[start:, 0], corners[start:, 1]
    first = 0
    for k in range(len(ends)):
        obstacle = obstacles[k]
        if not set_polygon(obstacle.polygon, xs[first : ends[k]], ys[first : ends[k]], ends[k] - first):
            return BAD_OBSTACLE
        set_extended_box(obstacle.box, bounds_of(obstacle.polygon, ZERO, ZERO, ZERO, ONE))
        first = ends[k]
    _set_reaches(obstacles, len(ends))
    return NO_ERROR


@kernel
def set_segments(segments: Record, ground: Record) -> int:
    """Lay out the edges between successive points of the ground, which increase in x."""
    count = len(ground) - 1
    for k in range(count):
        segment = segments[k]
        x1, y1, x2, y2 = ground[k, 0], ground[k, 1], ground[k + 1, 0], ground[k + 1, 1]
        segment.x1, segment.y1, segment.x2, segment.y2 = x1, y1, x2, y2
        x, y = x2 - x1, y2 - y1
        if not x * x + y * y > EPSILON * EPSILON:
            return BAD_GROUND
        segment.normal_x, segment.normal_y, _ = normalize(y, -x)
        bounds = (
            minimum(x1, x2) - POLYGON_RADIUS,
            minimum(y1, y2) - POLYGON_RADIUS,
            maximum(x1, x2) + POLYGON_RADIUS,
            maximum(y1, y2) + POLYGON_RADIUS,
        )
        set_extended_box(segment.box, bounds)
    _set_reaches(segments, count)
    return NO_ERROR

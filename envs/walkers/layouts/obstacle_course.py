"""Obstacle courses: grass alternating with pits, stumps and stairs, as in Gymnasium's hardcore walker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..track import GROUND_LEVEL, START_PAD_STEPS, STEP, Polygons, Track
from . import course_layout

_STEPS = 200
_SMALLEST_PIT = 0.8
_SMALLEST_HEIGHT = 0.2


@dataclass(frozen=True)
class FeatureKind:
    """A kind of feature, whose instances on a course each have their own size.

    Attributes:
        form: Its form in `chiron.envs.walkers.layouts.course_layout`.
        smallest: Smallest size, track steps.
        largest: Largest size, track steps.
        count: Number of stairs.
    """

    form: int
    smallest: float = 0.0
    largest: float = 0.0
    count: int = 0


def pits(narrowest: float, widest: float) -> FeatureKind:
    """Holes four steps deep and U(narrowest, widest) steps wide, between walls one step thick."""
    return FeatureKind(course_layout.PIT, narrowest, widest)


def stumps(lowest: float, highest: float) -> FeatureKind:
    """Rectangles one step wide and U(lowest, highest) steps high, at least 0.05."""
    return FeatureKind(course_layout.STUMP, lowest, highest)


def stairs(lowest: float, highest: float, count: int) -> FeatureKind:
    """Flights of `count` stairs, four steps long and U(lowest, highest) steps high, all up or all down."""
    return FeatureKind(course_layout.STAIRS, lowest, highest, count)


def hardcore_kinds() -> list[FeatureKind]:
    """The features of Gymnasium's BipedalWalkerHardcore-v3, for `course_track` with a roughness of 1."""
    forms = (course_layout.HARDCORE_STUMP, course_layout.HARDCORE_STAIRS, course_layout.HARDCORE_PIT)
    return [FeatureKind(form) for form in forms]


def features(parameters: Mapping[str, float]) -> list[FeatureKind]:
    """The pits, stumps and stairs that a task of `OpenEndedTracks` enables.

    Args:
        parameters: The value of every parameter of the task space.
    """

    def ordered(name: str) -> tuple[float, float]:
        low, high = sorted((parameters[f"{name}_low"], parameters[f"{name}_high"]))
        return low, high

    gap, height, stair = ordered("pit_gap"), ordered("stump_height"), ordered("stair_height")
    kinds: list[FeatureKind] = []
    if height[1] >= _SMALLEST_HEIGHT:
        kinds.append(stumps(*height))
    if stair[1] >= _SMALLEST_HEIGHT:
        kinds.append(stairs(*stair, round(parameters["stair_steps"])))
    if gap[1] >= _SMALLEST_PIT:
        kinds.append(pits(*gap))
    return kinds


def course_track(rng: np.random.Generator, roughness: float, kinds: Sequence[FeatureKind]) -> Track:
    """Lay out a course of 200 steps: the start pad, then features between stretches of 5 to 9 steps of grass.

    At each step of grass the ground's velocity v becomes 0.8 v + 0.01 sign(level - y) + U(-1, 1)/30, and its
    height y changes by roughness × v metres. Random numbers are drawn in the order of Gymnasium's
    BipedalWalker, so that equal generators make equal ground.

    Args:
        rng: Draws the grass and the features.
        roughness: How bumpy the grass is; 1 is Gymnasium's, 0 is flat.
        kinds: Kinds of features, drawn uniformly for each feature. Without any, the course is all grass.
    """
    forms = np.array([kind.form for kind in kinds], np.int64)
    numbers = np.array([(kind.smallest, kind.largest, kind.count) for kind in kinds], np.float64)
    ground, corners, ends = course_layout.lay_out_course(
        rng, float(roughness), forms, numbers.reshape(-1, 3), START_PAD_STEPS, _STEPS, STEP, GROUND_LEVEL
    )
    return Track(ground, Polygons(corners, ends))

"""The self-contained functions of the batched engine, compared with Box2D's and the C library's."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import Box2D
import numpy as np
import pytest
from chiron.envs.walkers.engine import layout
from chiron.envs.walkers.engine.body import body_record
from chiron.envs.walkers.engine.engine import Tracks, Walkers, build_worlds
from chiron.envs.walkers.engine.lanes import load, rotation, store
from chiron.envs.walkers.walker_simulation import WalkerSimulation
from numba import njit

from tests.envs.engine_cases import TRACKS, WALKERS, flat_track


@njit(error_model="numpy")  # type: ignore[untyped-decorator]  # numba is untyped
def rotate_rows(rows: Any) -> None:
    for i in range(rows.angle.shape[0]):
        s, c = rotation(load(rows.angle, i))
        store(rows.s, i, s)
        store(rows.c, i, c)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="Box2D uses the sine of the C library")
@pytest.mark.parametrize("lanes", [1, layout.LANES])
def test_sine_and_cosine_are_the_c_librarys(lanes: int) -> None:
    library = ctypes.CDLL("libm.so.6")
    library.sinf.restype = library.cosf.restype = ctypes.c_float
    library.sinf.argtypes = library.cosf.argtypes = [ctypes.c_float]
    rows = np.zeros(1, np.dtype([(name, "f4", (64, lanes)) for name in ("angle", "s", "c")]))
    rng = np.random.default_rng(0)
    for scale in (1e-5, 0.5, 2.0, 10.0, 119.0):
        rows["angle"] = rng.uniform(-scale, scale, (64, lanes))
        rotate_rows(rows[0])
        for angle, s, c in zip(*(rows[name].ravel().tolist() for name in ("angle", "s", "c")), strict=True):
            assert (s, c) == (library.sinf(angle), library.cosf(angle))


def test_obstacles_are_box2ds_polygons() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        track = TRACKS["polygons"](rng)
        count = len(track.obstacles)
        obstacles = np.zeros((1, count), layout.OBSTACLE)
        walkers = Walkers(
            np.zeros(1, layout.WORLD),
            body_record(WALKERS["default"], 2000),
            obstacles,
            np.zeros((1, len(track.ground)), layout.SEGMENT),
        )
        tracks = Tracks(
            track.ground,
            np.array([len(track.ground)]),
            np.concatenate(track.obstacles),
            np.cumsum([len(corners) for corners in track.obstacles]),
            np.array([count]),
            np.zeros(1, np.float32),
        )
        build_worlds(walkers, np.array([0]), tracks, np.zeros(1, np.int32))
        for corners, polygon in zip(track.obstacles, obstacles["polygon"][0], strict=True):
            shape = Box2D.b2PolygonShape(vertices=corners.tolist())
            n = polygon["count"]
            ours = np.stack([polygon["x"], polygon["y"]], axis=1)[:n]
            np.testing.assert_array_equal(ours, np.array(shape.vertices))
            ours = np.stack([polygon["normal_x"], polygon["normal_y"]], axis=1)[:n]
            np.testing.assert_array_equal(ours, np.array(shape.normals))
            assert (polygon["centroid_x"], polygon["centroid_y"]) == tuple(shape.centroid)


@pytest.mark.parametrize("name", list(WALKERS))
def test_parts_weigh_what_box2ds_do(name: str) -> None:
    record = body_record(WALKERS[name], 2000)[0]
    env = WalkerSimulation(WALKERS[name], flat_track(np.random.default_rng(0)), 0.0)
    for ours, theirs in zip(record["parts"], env._parts, strict=False):
        assert ours["inv_mass"] == np.float32(1) / np.float32(theirs.mass)
        assert (ours["center_x"], ours["center_y"]) == tuple(theirs.localCenter)
        about_center = theirs.inertia - theirs.mass * theirs.localCenter.lengthSquared
        assert 1 / ours["inv_i"] == pytest.approx(about_center, rel=1e-5)

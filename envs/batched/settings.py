"""Box2D's tuning constants (b2Settings.h), as float32: a float64 among them would change every result."""

from __future__ import annotations

import numpy as np

ZERO, HALF, ONE, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)

MAX_FLOAT = np.finfo(np.float32).max
EPSILON = np.finfo(np.float32).eps
PI = np.float32(3.14159265359)

AABB_EXTENSION = np.float32(0.1)
"""What a box in the broad phase is larger than the shape, so that small motions leave it as it is."""
AABB_MULTIPLIER = np.float32(2.0)
LINEAR_SLOP = np.float32(0.005)
ANGULAR_SLOP = np.float32(2.0) / np.float32(180.0) * PI
POLYGON_RADIUS = TWO * LINEAR_SLOP
"""Thickness of the skin around every shape, metres."""

MAX_SUB_STEPS = 8
MAX_TOI_CONTACTS = 32
MAX_LINEAR_CORRECTION = np.float32(0.2)
MAX_ANGULAR_CORRECTION = np.float32(8.0) / np.float32(180.0) * PI
MAX_TRANSLATION = TWO
MAX_TRANSLATION_SQUARED = MAX_TRANSLATION * MAX_TRANSLATION
MAX_ROTATION = HALF * PI
MAX_ROTATION_SQUARED = MAX_ROTATION * MAX_ROTATION
BAUMGARTE = np.float32(0.2)
TOI_BAUMGARTE = np.float32(0.75)

TIME_TO_SLEEP = HALF
LINEAR_SLEEP_TOLERANCE_SQUARED = np.float32(0.01) * np.float32(0.01)
ANGULAR_SLEEP_TOLERANCE_SQUARED = ANGULAR_SLOP * ANGULAR_SLOP

GRAVITY = np.float32(-10.0)
TIME_STEP = np.float32(1 / 50)
VELOCITY_ITERATIONS = 180
POSITION_ITERATIONS = 60
TOI_POSITION_ITERATIONS = 20

"""Box2D's tuning constants (b2Settings.h), as float32: a float64 among them would change every result."""

from __future__ import annotations

import numpy as np

from .kernel import Number

ZERO: Number = np.float32(0.0)
HALF: Number = np.float32(0.5)
ONE: Number = np.float32(1.0)
TWO: Number = np.float32(2.0)

MAX_FLOAT: Number = np.finfo(np.float32).max
EPSILON: Number = np.finfo(np.float32).eps
PI: Number = np.float32(3.14159265359)

AABB_EXTENSION: Number = np.float32(0.1)
"""Margin of a box in the broad phase around the shape, so that small motions do not change the box."""
AABB_MULTIPLIER: Number = np.float32(2.0)
LINEAR_SLOP: Number = np.float32(0.005)
ANGULAR_SLOP: Number = np.float32(2.0) / np.float32(180.0) * PI
POLYGON_RADIUS: Number = TWO * LINEAR_SLOP
"""Thickness of the skin around every shape, metres."""

MAX_SUB_STEPS = 8
MAX_TOI_CONTACTS = 32
MAX_LINEAR_CORRECTION: Number = np.float32(0.2)
MAX_ANGULAR_CORRECTION: Number = np.float32(8.0) / np.float32(180.0) * PI
MAX_TRANSLATION: Number = TWO
MAX_TRANSLATION_SQUARED: Number = MAX_TRANSLATION * MAX_TRANSLATION
MAX_ROTATION: Number = HALF * PI
MAX_ROTATION_SQUARED: Number = MAX_ROTATION * MAX_ROTATION
BAUMGARTE: Number = np.float32(0.2)
TOI_BAUMGARTE: Number = np.float32(0.75)

TIME_TO_SLEEP: Number = HALF
LINEAR_SLEEP_TOLERANCE_SQUARED: Number = np.float32(0.01) * np.float32(0.01)
ANGULAR_SLEEP_TOLERANCE_SQUARED: Number = ANGULAR_SLOP * ANGULAR_SLOP

GRAVITY: Number = np.float32(-10.0)
TIME_STEP: Number = np.float32(1 / 50)
VELOCITY_ITERATIONS = 180
POSITION_ITERATIONS = 60
TOI_POSITION_ITERATIONS = 20

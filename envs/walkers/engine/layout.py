"""The memory layout of a body, a track and a world in motion, as arrays of records.

A record holds float32 and int32 numbers, and float64 ones where the environment around the physics computes
in Python floats. Compiled functions get a pointer to a record. Numba's cache is keyed by the layouts, so code
compiled before a change here is never used after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .settings import MAX_TOI_CONTACTS

MAX_PARTS = 16
"""Largest number of parts, and of joints, of a body."""
MAX_VERTICES = 8
"""Largest number of corners of a part or an obstacle."""
MAX_CONTACTS = 2048
"""Largest number of pairs of part and obstacle that are near each other at one time, in one world.

Stumps may be 2.3 cm wide and 1 cm apart: on such tracks, up to 658 pairs were measured for a two-legged
walker, and 1,562 for the quadruped.
"""
MAX_RAYS = 10
"""Largest number of lidar rays of a walker."""
MAX_ROWS = 128
"""Rows of touching contacts that lanes solve together; a row is one contact of one part in every lane."""

LANES = 16
"""Worlds that are solved side by side: 16 float32 numbers are an AVX-512 register."""
CHUNK = 4 * LANES
"""Worlds that are advanced together: enough to gather stragglers from."""

POLYGON: Any = np.dtype(
    [
        ("count", "i4"),
        ("x", "f4", (MAX_VERTICES,)),
        ("y", "f4", (MAX_VERTICES,)),
        ("normal_x", "f4", (MAX_VERTICES,)),
        ("normal_y", "f4", (MAX_VERTICES,)),
        ("centroid_x", "f4"),
        ("centroid_y", "f4"),
    ],
    align=True,
)
"""A convex polygon: corners counterclockwise, and the outward normal of the edge after each."""

BOX: Any = np.dtype([("lower_x", "f4"), ("lower_y", "f4"), ("upper_x", "f4"), ("upper_y", "f4")], align=True)
"""An axis-aligned box."""

# Fixtures are found by x, without a tree: `reach_upper` is the largest upper_x of a fixture and
# all before it, `reach_lower` the smallest lower_x of it and all after it, so both increase along the track.
_PLACE = [("box", BOX), ("reach_lower", "f4"), ("reach_upper", "f4")]

OBSTACLE: Any = np.dtype([("polygon", POLYGON), *_PLACE], align=True)
"""A polygon on the track."""

SEGMENT: Any = np.dtype(
    [
        ("x1", "f4"),
        ("y1", "f4"),
        ("x2", "f4"),
        ("y2", "f4"),
        ("normal_x", "f4"),
        ("normal_y", "f4"),
        *_PLACE,
    ],
    align=True,
)
"""One straight edge of the ground, with its normal to the right (downwards)."""

PART: Any = np.dtype(
    [
        ("polygon", POLYGON),
        ("inv_mass", "f4"),
        ("inv_i", "f4"),
        ("center_x", "f4"),  # centre of mass, in the part's frame
        ("center_y", "f4"),
        ("friction", "f4"),  # of a contact between the part and the track
        ("reach", "f4"),  # from the centre of mass to the farthest corner
        ("spawn_x", "f4"),
        ("spawn_y", "f4"),
        ("spawn_a", "f4"),
        ("is_hull", "i4"),
        ("is_foot", "i4"),
    ],
    align=True,
)
"""The constants of a part."""

JOINT: Any = np.dtype(
    [
        ("parent", "i4"),
        ("child", "i4"),
        ("anchor_a_x", "f4"),  # relative to the centre of mass of the parent
        ("anchor_a_y", "f4"),
        ("anchor_b_x", "f4"),  # relative to the centre of mass of the child
        ("anchor_b_y", "f4"),
        ("reference_angle", "f4"),
        ("lower_angle", "f4"),
        ("upper_angle", "f4"),
        ("motor_mass", "f4"),
        ("equal_limits", "i4"),  # whether the joint can hardly move at all, and is held like a rod
        ("max_speed", "f8"),
        ("observed_offset", "f8"),
    ],
    align=True,
)
"""The constants of a joint."""

BODY: Any = np.dtype(
    [
        ("n_parts", "i4"),
        ("n_joints", "i4"),
        ("part_order", "i4", (MAX_PARTS,)),  # in which Box2D's depth-first search finds them
        ("joint_order", "i4", (MAX_PARTS,)),
        ("motor_torque", "f8"),
        ("torque_penalty", "f8"),
        ("finish_x", "f8"),
        ("time_limit", "i4"),
        ("n_rays", "i4"),
        ("ray_x", "f8", (MAX_RAYS,)),
        ("ray_y", "f8", (MAX_RAYS,)),
        ("parts", PART, (MAX_PARTS,)),
        ("joints", JOINT, (MAX_PARTS,)),
    ],
    align=True,
)
"""A walker, its lidar and the rules of its episodes, shared by all worlds of a batch."""

PART_STATE: Any = np.dtype(
    [
        ("c_x", "f4"),  # centre of mass
        ("c_y", "f4"),
        ("a", "f4"),
        ("c0_x", "f4"),  # where it was at alpha0, a fraction of the step
        ("c0_y", "f4"),
        ("a0", "f4"),
        ("alpha0", "f4"),
        ("v_x", "f4"),
        ("v_y", "f4"),
        ("w", "f4"),
        ("p_x", "f4"),  # transform: origin and rotation
        ("p_y", "f4"),
        ("q_s", "f4"),
        ("q_c", "f4"),
        ("box", BOX),  # in the broad phase: larger than the part
        ("swept", BOX),  # around the part, skin included, at both ends of its motion
        ("moved", "i4"),
        ("awake", "i4"),
        ("sleep_time", "f4"),
        ("touches_ground", "i4"),
    ],
    align=True,
)
"""Motion of one part."""

JOINT_STATE: Any = np.dtype(
    [
        ("impulse_x", "f4"),
        ("impulse_y", "f4"),
        ("impulse_z", "f4"),
        ("motor_impulse", "f4"),
        ("motor_speed", "f4"),
        ("max_motor_torque", "f4"),
        ("limit_state", "f4"),
    ],
    align=True,
)
"""Motor and stored impulses of one joint."""

MANIFOLD: Any = np.dtype(
    [
        ("face", "i4"),  # FACE_A: normal and point are the track's, FACE_B: the part's
        ("count", "i4"),
        ("normal_x", "f4"),
        ("normal_y", "f4"),
        ("point_x", "f4"),
        ("point_y", "f4"),
        ("x", "f4", (2,)),  # contact points, in the frame of the other one
        ("y", "f4", (2,)),
        ("key", "i4", (2,)),
        ("normal_impulse", "f4", (2,)),
        ("tangent_impulse", "f4", (2,)),
    ],
    align=True,
)
"""Where a part and the track touch."""

FACE_A, FACE_B = 0, 1

CONTACT: Any = np.dtype(
    [
        ("fixture", "i4"),  # obstacles are 0, 1, …, the segments of the ground follow
        ("part", "i4"),
        ("touching", "i4"),
        ("enabled", "i4"),
        ("in_island", "i4"),
        ("has_toi", "i4"),
        ("toi_count", "i4"),
        ("toi", "f4"),
        ("manifold", MANIFOLD),
    ],
    align=True,
)
"""A part whose box overlaps that of a fixture of the track."""


def world_layout(max_contacts: int) -> Any:
    """One world in motion, with room for so many contacts."""
    return np.dtype(
        [
            ("parts", PART_STATE, (MAX_PARTS,)),
            ("joints", JOINT_STATE, (MAX_PARTS,)),
            ("contact_count", "i4"),
            ("n_obstacles", "i4"),
            ("n_segments", "i4"),
            ("hull_touched", "i4"),
            ("position_solved", "i4"),  # whether the last position iterations left small errors
            ("steps", "i4"),
            ("error", "i4"),
            ("force_x", "f4"),  # on the hull, during the next step
            ("inv_dt0", "f4"),
            ("track_alpha0", "f4"),  # the fraction of the step that the track has come to
            ("impact_alpha", "f4"),  # the fraction of the step at which the last impact was
            ("impact_place", "i4"),  # the place of its contact
            ("effort", "f8"),  # of the last action
            ("shaping", "f8"),
            ("episode_return", "f8"),
            # The first contact_count numbers are the places of contacts, oldest first; the others are free.
            ("contact_order", "i4", (max_contacts,)),
            ("contacts", CONTACT, (max_contacts,)),  # last, so that what is in use lies together
        ],
        align=True,
    )


WORLD: Any = world_layout(MAX_CONTACTS)
"""What the engine steps; states are stored with less room."""

NO_ERROR, TOO_MANY_CONTACTS, NOT_FINITE, BAD_OBSTACLE, BAD_GROUND = range(5)


def solver_layout(lanes: int, max_rows: int = MAX_ROWS) -> Any:
    """Where constraints of `lanes` worlds are solved side by side; scratch memory of one thread.

    Rows come first and have 64 bytes, so that with `LANES` lanes none lies across two cache lines.
    """

    def rows(names: str, count: int) -> list[tuple[str, str, tuple[int, int]]]:
        return [(name, "f4", (count, lanes)) for name in names.split()]

    return np.dtype(
        [
            *rows("c_x c_y a v_x v_y w p_x p_y q_s q_c", MAX_PARTS),
            *rows("saved_x saved_y saved_a", MAX_PARTS),
            *rows("r_a_x r_a_y r_b_x r_b_y", MAX_PARTS),
            *rows("ex_x ey_x ez_x ey_y ez_y inv_det22 inv_det33 cross_x cross_y cross_z", MAX_PARTS),
            *rows("impulse_x impulse_y impulse_z motor_impulse motor_speed max_motor_impulse", MAX_PARTS),
            *rows("limit_state", MAX_PARTS),
            *rows("dt_ratio force_x solved time_left", 1),
            *rows("face points solved_points normal_x normal_y local_normal_x local_normal_y", max_rows),
            *rows("local_point_x local_point_y point1_x point1_y point2_x point2_y", max_rows),
            *rows("r1_x r1_y r2_x r2_y normal_mass1 normal_mass2 tangent_mass1 tangent_mass2", max_rows),
            *rows("normal_impulse1 normal_impulse2 tangent_impulse1 tangent_impulse2", max_rows),
            *rows("k11 k12 k22 inv11 inv12 inv22", max_rows),
            *rows("saved_normal1 saved_normal2 saved_tangent1 saved_tangent2", MAX_TOI_CONTACTS),
            ("row_contact", "i4", (max_rows, lanes)),  # the contact's place, -1 for none
            ("row_part", "i4", (max_rows,)),
            ("row_points", "i4", (max_rows,)),  # most points that any lane has there
            ("part_row", "i4", (MAX_PARTS,)),  # the first row of a part
            ("part_count", "i4", (MAX_PARTS, lanes)),
            ("limited", "i4", (MAX_PARTS,)),  # whether the joint is at a limit in any lane
            ("n_rows", "i4"),
            ("padding", "i4", (LANES - 1,)),
        ]
    )


SCRATCH: Any = np.dtype(
    [
        ("proxy", POLYGON),  # corners of a fixture
        ("frame", POLYGON),  # a part's polygon in the frame of the track
        ("clip_x", "f4", (3, 2)),
        ("clip_y", "f4", (3, 2)),
        ("clip_key", "i4", (3, 2)),
        ("simplex_ax", "f4", (3,)),
        ("simplex_ay", "f4", (3,)),
        ("simplex_bx", "f4", (3,)),
        ("simplex_by", "f4", (3,)),
        ("simplex_x", "f4", (3,)),
        ("simplex_y", "f4", (3,)),
        ("simplex_weight", "f4", (3,)),
        ("simplex_a", "i4", (3,)),
        ("simplex_b", "i4", (3,)),
        ("playing", "i8", (CHUNK,)),  # slots whose episodes go on
        ("meeting", "i8", (CHUNK,)),  # slots with impacts left in their step
        ("block", "i8", (LANES,)),  # slots that are solved side by side
        ("cache_count", "i4"),
        ("cache_metric", "f4"),
        ("cache_a", "i4", (3,)),
        ("cache_b", "i4", (3,)),
    ],
    align=True,
)
"""Small arrays of one thread: compiled functions here allocate nothing."""

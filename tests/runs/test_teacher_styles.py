"""Teachers can be told apart in every picture, also by the colour-blind."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from chiron.runs.teacher_styles import display_name, teacher_style
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from tests.listing import names_in

TEACHERS = [name for name in names_in("teacher") if not name.endswith("_benchmark")]
SEEN = {
    "everybody": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
"""Machado et al. 2009: how viewers see a colour, as matrices on linear RGB."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
CLEARLY = 10.0
"""A difference in CIELAB that makes lines distinguishable at a glance."""


def lab(color: str, viewer: str) -> NDArray[np.float64]:
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ (SEEN[viewer] @ linear).clip(0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("viewer", SEEN)
def test_teachers_differ_in_colour_or_line(viewer: str) -> None:
    for one, other in combinations(TEACHERS, 2):
        a, b = teacher_style(one), teacher_style(other)
        difference = np.linalg.norm(lab(a.color, viewer) - lab(b.color, viewer))
        assert difference > CLEARLY or (a.dashes != b.dashes and difference > 1), (one, other, difference)


def test_every_teacher_of_the_project_has_a_name_and_a_variant_its_colour() -> None:
    assert display_name("teacher", "alp_gmm") == "ALP-GMM"
    assert display_name("teacher", "covar_gmm_benchmark") == "Covar-GMM (benchmark)"
    for name in TEACHERS:
        assert teacher_style(f"{name}_benchmark").color == teacher_style(name).color


def test_an_unknown_teacher_has_always_the_same_colour() -> None:
    assert teacher_style("mine") == teacher_style("mine")
    assert teacher_style("mine").color != teacher_style("yours").color
    assert teacher_style("mine").name == "Mine"

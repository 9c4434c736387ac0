from __future__ import annotations

from typing import Any

import pytest

from benchmarks import teacher_pages
from tests.listing import build_teacher, names_in
from tests.teachers.spaces import cube

NAMES = [name for name in names_in("teacher") if not name.endswith("_benchmark")]
SUITE: dict[str, Any] = {
    "date": "2026-01-01",
    "seeds": {"alp_gmm": 10, "random": 2},
    "teachers": ["alp_gmm", "random"],
    "students": {
        "grid": {
            "alp_gmm": {"mastered": [13.0, 2.0], "area": [5.0, 1.0], "early": [1.0, 0.0]},
            "random": {"mastered": [1.0, 0.0], "area": [0.4, 0.1], "early": [0.0, 0.0]},
        }
    },
    "means": {"alp_gmm": [13.0, 11.0, 15.0]},
}


def test_the_pages_are_what_the_docstrings_say() -> None:
    """Otherwise: python -m benchmarks.teacher_pages."""
    for path, text in teacher_pages.pages().items():
        assert path.read_text() == text, path.name


def test_every_teacher_has_a_picture_that_loads_quickly() -> None:
    for name in NAMES:
        assert teacher_pages.picture_of(name).stat().st_size <= 40 * 1024, name


@pytest.mark.parametrize("name", NAMES)
def test_a_page_explains_every_setting(name: str) -> None:
    page = teacher_pages.page(name, None)
    assert "**" in page
    for line in page.splitlines():
        if line.startswith("| `teacher."):
            assert line.rpartition("` | ")[2].removesuffix("|").strip(), line
    for argument in teacher_pages.ON_SIMULATED.get(name, {}):
        assert hasattr(build_teacher(name, space=cube(2)), argument)


def test_results_are_shown_on_pages_and_in_the_gallery() -> None:
    assert "| `grid` | 13 ± 2 | 5 ± 1 | 1 ± 0 | 13 |" in teacher_pages.page("alp_gmm", SUITE)
    assert "benchmark](README" not in teacher_pages.page("riac", SUITE)
    assert "10 seeds each" in teacher_pages.page("alp_gmm", SUITE)
    table = teacher_pages._results_table(SUITE)
    assert "over 10 seeds (`random`: 2)" in table
    assert "| `grid` | **13 ± 2** | 1 ± 0 |" in table
    assert "| 13.0 [11.0, 15.0] | – |" in table


def test_a_picture_of_nobody_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        teacher_pages.main(["--draw", "socrates"])
    assert stopped.value.code == 2
    assert "'socrates' must be one of accel, adr" in capsys.readouterr().err

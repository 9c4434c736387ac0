from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.runs.task_pictures import draw_competence, draw_mastery, draw_proposals
from chiron.runs.video import Frame
from chiron.teachers.focus import Focus, FocusBox, FocusGaussian
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from tests.teachers.spaces import cube

ORANGE, GREY, BLUE, GREEN, PURPLE = (
    (217, 95, 2),
    (140, 140, 140),
    (31, 78, 156),
    (27, 120, 55),
    (178, 150, 192),
)
LEGEND = 50
"""Rows at the top that contain only title and legend."""


def where(picture: Frame, color: tuple[int, int, int]) -> NDArray[np.intp]:
    """Rows and columns of the pixels of a colour, below the legend."""
    pixels = picture.astype(int)
    close = np.abs(pixels - color).max(axis=2) <= 8
    return np.argwhere(close[LEGEND:])


def center(picture: Frame, color: tuple[int, int, int]) -> tuple[float, float]:
    row, column = where(picture, color).mean(axis=0).tolist()
    return column, -row


def test_tasks_lie_where_they_should() -> None:
    places = [
        center(
            draw_proposals(cube(2), 100, np.array([task], dtype=np.float32), np.array([False]), []), ORANGE
        )
        for task in ([0.1, 0.9], [0.9, 0.1])
    ]
    moved = np.subtract(places[1], places[0])
    np.testing.assert_allclose(moved, [0.8 * 284, -0.8 * 284], atol=1)


def test_what_was_drawn_at_random_has_a_colour_of_its_own() -> None:
    tasks = np.full((1, 2), 0.5, dtype=np.float32)
    chosen, random = (draw_proposals(cube(2), 100, tasks, np.array([r]), []) for r in (False, True))
    assert len(where(chosen, ORANGE)) > len(where(random, ORANGE)) == 0
    assert len(where(random, GREY)) > len(where(chosen, GREY))


@pytest.mark.parametrize(
    "part",
    [
        FocusBox(1.0, np.array([0.2, 0.3]), np.array([0.6, 0.8])),
        FocusGaussian(1.0, np.array([0.4, 0.55]), np.diag([0.1**2, 0.125**2])),
    ],
)
def test_boxes_and_two_standard_deviations_are_outlined(part: Focus) -> None:
    nothing = np.empty((0, 2), dtype=np.float32)
    picture = draw_proposals(cube(2), 100, nothing, np.empty(0, dtype=bool), [part])
    blue = where(picture, BLUE)
    height, width = np.ptp(blue, axis=0)
    assert width == pytest.approx(0.4 * 284, abs=3)
    assert height == pytest.approx(0.5 * 284, abs=3)


def test_what_is_less_probable_is_fainter() -> None:
    boxes = [FocusBox(w, np.full(2, low), np.full(2, low + 0.2)) for w, low in ((0.9, 0.1), (0.1, 0.6))]
    nothing = np.empty((0, 2), dtype=np.float32)
    picture = draw_proposals(cube(2), 100, nothing, np.empty(0, dtype=bool), boxes)
    columns = where(picture, BLUE)[:, 1]
    assert columns.max() < picture.shape[1] / 2


@pytest.mark.parametrize("dim", [1, 3, 12])
def test_other_dimensions_get_a_strip_each(dim: int) -> None:
    tasks = np.linspace(0.5, 1, 40 * dim, dtype=np.float32).reshape(40, dim)
    box = FocusBox(1.0, np.full(dim, 0.25), np.full(dim, 0.5))
    picture = draw_proposals(cube(dim), 100, tasks, np.zeros(40, dtype=bool), [box])
    strips = {row // 46 for row in where(picture, ORANGE)[:, 0].tolist()}
    assert strips == set(range(dim))
    assert where(picture, BLUE)[:, 1].max() <= where(picture, ORANGE)[:, 1].min() + 4


def test_more_parameters_than_a_picture_can_hold_are_left_out() -> None:
    tasks = np.full((5, 40), 0.5, dtype=np.float32)
    picture = draw_proposals(cube(40), 100, tasks, np.zeros(5, dtype=bool), [])
    assert picture.shape[0] < 900


def test_mastered_and_other_tasks() -> None:
    tasks = np.array([[0.1, 0.5], [0.3, 0.5], [0.9, 0.5]], dtype=np.float32)
    picture = draw_mastery(cube(2), "title", tasks, np.array([True, True, False]))
    assert center(picture, GREEN)[0] < center(picture, PURPLE)[0]
    ratio = len(where(picture, GREEN)) / len(where(picture, PURPLE))
    assert ratio == pytest.approx(2, abs=0.3)


def test_competence_of_a_plane_and_of_more_dimensions() -> None:
    competence = np.zeros((4, 4))
    competence[0, :2] = 1
    picture = draw_competence(["x0", "x1"], "title", competence)
    green = where(picture, GREEN)
    assert np.ptp(green[:, 0]) == pytest.approx(2 * np.ptp(green[:, 1]), abs=4)
    assert green[:, 0].mean() > picture.shape[0] / 2  # low values are below
    cells = np.zeros((2, 2, 2))
    cells[1] = 1
    picture = draw_competence(["a", "b", "c"], "title", cells)
    rows, columns = where(picture, GREEN).T
    assert set((rows // 46).tolist()) == {0}
    assert columns.min() > picture.shape[1] / 2


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_parameters_are_named_with_their_units(monkeypatch: pytest.MonkeyPatch, dim: int) -> None:
    words = list[str]()
    write = Figure.text

    def listen(figure: Figure, x: float, y: float, text: str, **style: Any) -> Text:
        words.append(text)
        return write(figure, x, y, text, **style)

    monkeypatch.setattr(Figure, "text", listen)
    units = {"stump_height": "0.467 m", "slope": "", "pole_mass": "kg"}
    space = TaskSpace([TaskParameter(name, 0, 1, unit=unit) for name, unit in list(units.items())[:dim]])
    draw_mastery(space, "title", space.sample(np.random.default_rng(0), 2), np.array([True, False]))
    said = " ".join(words)
    for wanted in ("stump height", "× 0.467 m", "slope", "pole mass", "kg")[: {1: 2, 2: 3, 3: 5}[dim]]:
        assert wanted in said

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.envs.walkers.open_ended_tracks import TEST_ENVS
from chiron.evaluation.named_test_sets import (
    RECIPES,
    open_ended_task_set,
    read_task_set,
    shipped_table,
    shipped_task_set,
    with_episodes,
)
from chiron.evaluation.task_sets import TaskSet

SPACE = StumpTracks.task_space()
FOLDER = files("chiron.evaluation") / "test_sets"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_make_the_files_bit_for_bit(name: str) -> None:
    made = io.StringIO()
    RECIPES[name]().to_csv(made, index=False, lineterminator="\n")
    assert (FOLDER / f"{name}.csv").read_bytes() == made.getvalue().encode()


def test_every_file_has_a_recipe_and_a_line_in_their_page() -> None:
    names = {Path(str(file)).stem for file in FOLDER.iterdir() if file.name.endswith(".csv")}
    assert names == set(RECIPES)
    page = (FOLDER / "README.md").read_text()
    assert [name for name in names if f"`{name}.csv`" not in page] == []


def test_uniform_fills_the_ranges_of_the_env() -> None:
    name, tasks = shipped_task_set("uniform", SPACE)
    assert name == "uniform_v1"
    assert tasks.tasks.shape == (50, 2)
    shares = SPACE.normalize(tasks.tasks)
    np.testing.assert_allclose(shares, shipped_table(name)[["x0", "x1"]], atol=1e-6)
    assert (shares.min(axis=0) < 0.1).all()
    assert (shares.max(axis=0) > 0.9).all()
    assert len(set(tasks.seeds)) == 50


def test_grid_has_its_corners_and_equal_distances() -> None:
    name, tasks = shipped_task_set("grid", SPACE)
    assert name == "grid_2d_v1"
    np.testing.assert_allclose(tasks.tasks[[0, -1]], [SPACE.low, SPACE.high])
    for column in tasks.tasks.T:
        np.testing.assert_allclose(np.diff(np.unique(column)), np.ptp(column) / 9, rtol=1e-4)


@pytest.mark.parametrize(("name", "dim"), [("grid", 4), ("uniform", 21)])
def test_too_many_dimensions_are_refused(name: str, dim: int) -> None:
    space = TaskSpace([TaskParameter("many", 0, 1, size=dim)])
    with pytest.raises(ValueError, match=f"and this env's have {dim}"):
        shipped_task_set(name, space)


def test_the_test_envs_are_all_there() -> None:
    tasks = open_ended_task_set()
    assert tasks.tasks[:, 0].tolist() == list(range(len(TEST_ENVS)))


class TestOwnFile:
    def test_columns_may_come_in_any_order(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.csv"
        file.write_text("obstacle_spacing,seed,stump_height\n5,7,1\n6,8,2\n")
        tasks = read_task_set(file, SPACE)
        named = [SPACE.to_dict(task) for task in tasks.tasks]
        assert named == [
            {"stump_height": 1, "obstacle_spacing": 5},
            {"stump_height": 2, "obstacle_spacing": 6},
        ]
        assert tasks.seeds == [7, 8]

    def test_seeds_may_be_left_to_the_rows(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.csv"
        file.write_text("obstacle_spacing,stump_height\n5,1\n6,2\n")
        assert read_task_set(file, SPACE).seeds == [0, 1]

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            (
                "stump_height\n1\n",
                "must have rows with the columns stump_height, obstacle_spacing and maybe seed",
            ),
            (
                "stump_height,obstacle_spacing,mood\n1,2,3\n",
                "but has 1 rows with stump_height, obstacle_spacing, mood",
            ),
            ("stump_height,obstacle_spacing\n", "but has 0 rows"),
            ("stump_height,obstacle_spacing\n1,2\n9,2\n", r"row 2: task stump_height=9 must lie in \[0, 3\]"),
            ("stump_height,obstacle_spacing,seed\n1,2,-1\n", "seed must be a whole number, 0 or greater"),
            ("stump_height,obstacle_spacing,seed\n1,2,0.5\n", "seed must be a whole number, 0 or greater"),
            ("", "cannot be read as CSV"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, sentence: str) -> None:
        file = tmp_path / "mine.csv"
        file.write_text(text)
        with pytest.raises(ValueError, match=sentence):
            read_task_set(file, SPACE)


def test_more_episodes_begin_with_the_same_ones() -> None:
    tasks = TaskSet(np.array([[1.0], [2.0]], np.float32), [5, 6])
    one, three, five = (with_episodes(tasks, episodes) for episodes in (1, 3, 5))
    assert one.seeds == [5, 6]
    assert three.tasks[:, 0].tolist() == [1, 1, 1, 2, 2, 2]
    assert three.seeds[:3] == five.seeds[:3]
    assert three.seeds[3:] == five.seeds[5:8]
    assert len(set(five.seeds)) == 10

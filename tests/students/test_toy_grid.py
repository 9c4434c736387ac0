from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.state_file import load_state, save_state
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import ALPGMM, RIAC, CovarGMM, Curriculum, Oracle, Random, Teacher
from chiron.teachers.episode import Episode


class PlainGrid:
    """The rule of the paper, spelled out cell by cell."""

    def __init__(self, dims: int, cells: int) -> None:
        self.dims, self.cells = dims, cells
        self.competence = dict.fromkeys(product(range(cells), repeat=dims), 0)

    def play(self, task: Any) -> float:
        cell = tuple(min(int(np.floor(float(x) * self.cells)), self.cells - 1) for x in task[: self.dims])
        neighbours = [
            tuple(np.subtract(cell, lowered).tolist())
            for lowered in product((0, 1), repeat=self.dims)
            if any(lowered)
        ]
        opened = any(self.competence.get(neighbour, 0) >= 75 for neighbour in neighbours)
        if opened or not any(cell):
            self.competence[cell] = min(100, self.competence[cell] + 1)
        return self.competence[cell] / 100


def mastered(teacher: Teacher, grid: ToyGrid, episodes: int) -> float:
    grid.learn(Curriculum(teacher, grid.info, seed=0), episodes)
    return grid.mastered_percent


@pytest.mark.parametrize(("dims", "cells"), [(1, 5), (2, 4), (3, 3), (4, 2)])
def test_the_neighbour_rule_is_the_papers(dims: int, cells: int) -> None:
    grid, plain = ToyGrid(dims, cells), PlainGrid(dims, cells)
    rng = np.random.default_rng(0)
    for _ in range(8000):
        task = grid.task_space.denormalize(rng.random(dims) ** 2)
        assert grid.play(task) == plain.play(task)
    expected = np.array(list(plain.competence.values())).reshape((cells,) * dims)
    assert np.array_equal(grid.competence, expected)
    assert grid.mastered_percent > 0
    assert grid.mastered_percent == pytest.approx(100 * (expected > 75).mean())


def test_a_cell_opens_its_neighbours_at_75_is_mastered_at_76_and_full_at_100() -> None:
    grid = ToyGrid(dims=2, cells=10)
    origin, beyond = np.zeros(2, dtype=np.float32), np.full(2, 0.15, dtype=np.float32)
    for _ in range(74):
        grid.play(origin)
    assert grid.play(beyond) == 0.0
    assert grid.play(origin) == 0.75
    assert grid.mastered_percent == 0
    assert grid.play(beyond) == 0.01
    grid.play(origin)
    assert grid.mastered_percent == 1
    for _ in range(50):
        grid.play(origin)
    assert grid.play(origin) == 1.0


def test_the_far_corner_belongs_to_the_last_cell() -> None:
    assert ToyGrid(dims=2, cells=10).cell_of(np.ones(2, dtype=np.float32)) == (9, 9)


def test_useless_dimensions_change_nothing() -> None:
    grid, wide = ToyGrid(dims=2), ToyGrid(dims=2, useless_dims=3)
    assert wide.task_space.columns == ["x0", "x1", "useless0", "useless1", "useless2"]
    rng = np.random.default_rng(0)
    for _ in range(3000):
        task = wide.task_space.denormalize(rng.random(5) ** 3)
        assert wide.play(task) == grid.play(task[:2])


def test_noise_is_added_to_returns_and_comes_from_the_seed() -> None:
    quiet, noisy, again = ToyGrid(), ToyGrid(return_noise=0.1, seed=0), ToyGrid(return_noise=0.1, seed=0)
    task = np.zeros(2, dtype=np.float32)
    returns = np.array([(quiet.play(task), noisy.play(task), again.play(task)) for _ in range(2000)])
    assert np.array_equal(returns[:, 1], returns[:, 2])
    assert np.std(returns[:, 1] - returns[:, 0]) == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(quiet.competence, noisy.competence)


def test_learning_tells_of_every_episode() -> None:
    grid, episodes = ToyGrid(), list[Episode]()
    teacher = Random(grid.task_space, seed=0)
    grid.learn(Curriculum(teacher, grid.info, seed=0), 50, episodes.append)
    assert [episode.index for episode in episodes] == list(range(50))
    assert [episode.step for episode in episodes] == list(range(1, 51))
    assert all(episode.success is False for episode in episodes)


def test_a_restored_grid_goes_on_alike(tmp_path: Path) -> None:
    grid, restored = ToyGrid(cells=4, return_noise=0.1, seed=0), ToyGrid(cells=4, return_noise=0.1, seed=1)
    tasks = grid.task_space.sample(np.random.default_rng(0), 6000)
    for task in tasks[:3000]:
        grid.play(task)
    assert grid.mastered_percent > 0
    save_state(tmp_path / "grid", grid.state_dict())
    restored.load_state_dict(load_state(tmp_path / "grid"))
    assert [grid.play(task) for task in tasks[3000:]] == [restored.play(task) for task in tasks[3000:]]


def test_a_state_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(10, 10\), which must be this grid's \(5, 5\)"):
        ToyGrid(cells=5).load_state_dict(ToyGrid().state_dict())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"dims": 0}, "dims=0 must be at least 1"),
        ({"dims": 10**14}, "dims=100000000000000 must be at least 1 and at most 23"),
        ({"cells": 0}, "cells=0 must be at least 1"),
        ({"useless_dims": -1}, "useless_dims=-1 must be at least 0"),
        ({"return_noise": -0.1}, "return_noise=-0.1 must be at least 0"),
        ({"dims": 9}, r"cells=10 \*\* dims=9 must be at most 10000000"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ToyGrid(**arguments)


def test_a_task_outside_the_cube_is_refused() -> None:
    with pytest.raises(ValueError, match="must lie within the task space"):
        ToyGrid().play(np.array([0.5, 1.5], dtype=np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_teachers_that_look_for_progress_beat_random(seed: int) -> None:
    grids = [ToyGrid() for _ in range(5)]
    space = grids[0].task_space
    random, oracle, alp_gmm, covar_gmm, riac = (
        mastered(teacher, grid, 12_000)
        for grid, teacher in zip(
            grids,
            [
                Random(space, seed),
                Oracle(space, seed, threshold=0.75),
                ALPGMM(space, seed),
                CovarGMM(space, seed),
                RIAC(space, seed),
            ],
            strict=True,
        )
    )
    assert oracle > random + 20
    assert alp_gmm > random + 8
    assert covar_gmm > random + 20
    assert riac > random + 12

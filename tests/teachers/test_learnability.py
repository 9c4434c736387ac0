from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Learnability

from tests.teachers.spaces import cube, run


def test_the_kept_tasks_are_those_with_a_success_rate_in_the_middle() -> None:
    """Half of the time; the highest 2% of p(1 − p) are the tasks with |p − 0.5| < 0.01."""
    teacher = Learnability(cube(1, 0, 10), seed=0)
    run(teacher, 500, lambda task: float(task[0] / 10))
    proposals = teacher.sample(4000)
    is_kept = np.array(proposals.sources) == "learnable"
    assert is_kept.mean() == pytest.approx(0.5, abs=0.03)
    kept = proposals.tasks[is_kept]
    assert len(np.unique(kept)) == 100
    assert kept.min() > 4.6
    assert kept.max() < 5.4
    assert proposals.tasks[~is_kept].mean() == pytest.approx(5, abs=0.3)


def test_success_rates_are_estimated_from_zeros_and_ones() -> None:
    rng = np.random.default_rng(1)
    teacher = Learnability(cube(2), seed=0)
    run(teacher, 2000, lambda task: float(rng.random() < task[1]))
    assert teacher.bandwidth >= 0.08
    assert teacher.kept_tasks[:, 1].mean() == pytest.approx(0.5, abs=0.15)
    assert teacher.metrics()["learnability"] == pytest.approx(0.25, abs=0.01)


def test_no_more_than_the_window_is_known() -> None:
    teacher = Learnability(cube(1), seed=0, window=100)
    run(teacher, 100, lambda task: float(task[0] < 0.5))
    assert teacher.metrics()["p_mean"] == pytest.approx(0.5, abs=0.1)
    run(teacher, 100, lambda task: 0.0)
    assert teacher.metrics()["p_mean"] == 0.0


def test_masters_a_small_grid_in_a_few_times_what_it_takes() -> None:
    """16 cells of 76 episodes each are 1,216; Random needs 16 * 75 for every step away from the origin."""
    grid = ToyGrid(cells=4)
    run(Learnability(grid.task_space, seed=0, candidates=1000, kept=20), 4500, grid.play)
    assert grid.mastered_percent == 100


def test_a_plateau_takes_all_that_is_not_random() -> None:
    teacher = Learnability(cube(2), seed=0)
    run(teacher, 500, lambda task: 0.5 if task[0] < 0.3 else 0.9)
    assert (teacher.kept_tasks[:, 0] < 0.3).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"candidates": 0}, "candidates=0 must be at least 1 and at most 100000"),
        ({"kept": 6000}, "kept=6000 must be at least 1 and at most candidates=5000"),
        ({"random_ratio": 1.5}, r"random_ratio=1.5 must lie in \[0, 1\]"),
        ({"window": 100_000}, "window=100000 must be at least 2 and at most 10000"),
        ({"episodes_per_update": 1}, "episodes_per_update=1 must be at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Learnability(cube(2), **arguments)


def test_a_state_with_another_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window=100 must be the stored state's 500"):
        Learnability(cube(2), window=100).load_state_dict(Learnability(cube(2)).state_dict())

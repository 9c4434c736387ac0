from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import Headway

from tests.teachers.spaces import cube, result, run


def drawn(teacher: Headway) -> Any:
    """Proposed tasks that are not uniform, in task units."""
    proposals = teacher.sample(4000)
    return proposals.tasks[np.array(proposals.sources) == "headway"]


def test_tasks_are_those_with_a_level_in_the_middle() -> None:
    teacher = Headway(cube(1, 0, 10), seed=0, least_change=0)
    run(teacher, 600, lambda task: float(task[0] / 10))
    tasks = drawn(teacher)
    assert len(tasks) / 4000 == pytest.approx(0.8, abs=0.03)
    assert np.quantile(tasks, 0.1) > 2
    assert np.quantile(tasks, 0.9) < 8


def test_a_plateau_is_left_for_what_moves() -> None:
    """Half of the space returns 0.5 for ever; on the other half, the student is at 0.2 and learns."""

    def returns() -> Any:
        learned = 0

        def of(task: Any) -> float:
            nonlocal learned
            if task[0] < 0.5:
                return 0.5
            learned += 1
            return min(0.2 + 0.0005 * learned, 1)

        return of

    shares = {}
    for least_change in (0.0, 0.1):
        teacher = Headway(cube(2), seed=0, least_change=least_change)
        run(teacher, 1000, returns())
        shares[least_change] = float((drawn(teacher)[:, 0] < 0.4).mean())
    assert shares[0.0] > 0.45
    assert shares[0.1] < shares[0.0] / 2


def test_change_and_level_are_those_of_the_last_visits() -> None:
    """On one and the same task the score rises by 0.01 a visit, which no other task knows of."""
    teacher = Headway(cube(1), seed=0, visits=50, episodes_per_update=1000, memory=1000)
    for i in range(80):
        teacher.observe(result([0.1], 0.01 * i))
    newest = np.arange(80)[::-1]
    level, change, error = teacher._judged(
        np.array([[0.1], [0.9]]), teacher._tasks[newest], teacher._scores[newest]
    )
    assert change[0] == pytest.approx(0.5, abs=0.05)
    assert level[0] == pytest.approx(0.79, abs=0.05)
    assert change[1] == pytest.approx(0, abs=0.01)
    assert error[1] == pytest.approx(0.5, abs=0.01)
    assert error[0] < 0.2


def test_the_bandwidth_of_a_useless_parameter_grows() -> None:
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)

        def noisy(task: Any, rng: np.random.Generator = rng) -> float:
            return float(0.5 + 0.4 * np.sin(9 * task[1]) + 0.1 * rng.standard_normal())

        teacher = Headway(cube(2), seed=seed)
        run(teacher, 1200, noisy)
        ratios.append(teacher.bandwidths[0] / teacher.bandwidths[1])
    assert np.median(ratios) >= 8


def test_masters_a_small_grid_in_a_few_times_what_it_takes() -> None:
    """16 cells of 76 episodes each are 1,216; Random needs 16 * 75 for every step away from the origin."""
    grid = ToyGrid(cells=4)
    run(Headway(grid.task_space, seed=0), 4500, grid.play)
    assert grid.mastered_percent == 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"candidates": 1}, "candidates=1 must be at least 2 and at most 10000"),
        ({"random_ratio": 1.5}, r"random_ratio=1.5 must lie in \[0, 1\]"),
        ({"sharpness": 0}, "sharpness=0 must be above 0 and finite"),
        ({"visits": -1}, "visits=-1 must be above 0 and finite"),
        ({"least_change": -0.1}, "least_change=-0.1 must be at least 0 and finite"),
        ({"memory": 100_000}, "memory=100000 must be at least 2 and at most 10000"),
        ({"episodes_per_update": 0}, "episodes_per_update=0 must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Headway(cube(2), **arguments)


def test_a_state_with_another_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="memory=100 must be the stored state's 2000"):
        Headway(cube(2), memory=100).load_state_dict(Headway(cube(2)).state_dict())

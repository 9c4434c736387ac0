from __future__ import annotations

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.evaluation.task_sets import graded_task


@pytest.fixture
def space() -> TaskSpace:
    return TaskSpace([TaskParameter("height", 0, 4, size=2), TaskParameter("spacing", 2, 6, easy="high")])


@pytest.mark.parametrize(
    ("hardness", "task"),
    [
        (0, [0, 0, 6]),
        (1, [4, 4, 2]),
        (0.25, [1, 1, 5]),
        ([0, 1, 0.5], [0, 4, 4]),
    ],
)
def test_a_graded_task_lies_between_the_easiest_and_the_hardest(
    space: TaskSpace, hardness: float | list[float], task: list[float]
) -> None:
    np.testing.assert_allclose(graded_task(space, hardness), task)

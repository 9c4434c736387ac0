from __future__ import annotations

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.evaluation.named_test_sets import shipped_task_set
from chiron.evaluation.task_sets import graded_task, named_task, uniform_tasks


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


def test_test_tasks_are_those_that_are_played() -> None:
    """Integers are rounded once, here, so that rows say what was played."""
    space = TaskSpace([TaskParameter("skip", 2, 5, integer=True), TaskParameter("size", 0, 1, integer=True)])
    sets = [
        uniform_tasks(space, 50, seed=0).tasks,
        *(shipped_task_set(name, space)[1].tasks for name in ("uniform", "grid")),
        np.array([graded_task(space, hardness) for hardness in (0, 0.3, 1)]),
        np.array(
            [named_task(space, wanted, seed=0) for wanted in ("random", "hard", {"skip": 3.6}, [3, 0.6])]
        ),
    ]
    for tasks in sets:
        assert tasks.dtype == np.float32
        assert set(tasks[:, 0]) <= {2, 3, 4, 5}
        assert set(tasks[:, 1]) <= {0, 1}
    assert sets[3].tolist() == [[2, 0], [3, 0], [5, 1]]

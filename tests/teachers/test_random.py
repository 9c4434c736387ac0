from __future__ import annotations

import numpy as np
from chiron.teachers import Random
from scipy.stats import kstest

from tests.teachers.spaces import cube, run


def test_tasks_are_uniform_and_independent_in_every_dimension() -> None:
    tasks = run(Random(cube(3, -2, 6), seed=0), 5000)
    for column in tasks.T:
        assert kstest((column + 2) / 8, "uniform").pvalue > 0.001
    correlations = np.corrcoef(tasks.T) - np.eye(3)
    assert np.abs(correlations).max() < 0.05
    assert np.abs(np.corrcoef(tasks[:-1, 0], tasks[1:, 0])[0, 1]) < 0.05


def test_results_change_nothing() -> None:
    one, other = run(Random(cube(2), seed=0), 100), run(Random(cube(2), seed=0), 100, lambda task: 1.0)
    assert np.array_equal(one, other)

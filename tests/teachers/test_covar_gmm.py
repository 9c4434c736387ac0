from __future__ import annotations

import numpy as np
import pytest
from chiron.teachers import CovarGMM
from chiron.teachers.gaussian_mixtures import Gaussians

from tests.teachers.spaces import ChangingStudent, cube, result, run


def test_rows_are_task_time_and_return() -> None:
    teacher = CovarGMM(cube(2), seed=0, fit_rate=20)
    rng = np.random.default_rng(0)
    for i in range(50):
        teacher.observe(result([0.5 + 0.001 * i, rng.random()], 0.01 * i))
    rows = teacher.state_dict()["state"]["rows"]
    newest = rows[:10]  # the ring has been written twice and a half
    np.testing.assert_allclose(newest[:, 0], 0.5 + 0.001 * np.arange(40, 50), rtol=1e-6)
    np.testing.assert_allclose(newest[:, 2], np.arange(10) / 20)
    np.testing.assert_allclose(newest[:, 3], 0.01 * np.arange(40, 50))
    assert (rows[:, 2] < 1).all()


def test_gaussians_are_chosen_in_proportion_to_rising_returns() -> None:
    teacher = CovarGMM(cube(1), seed=0)
    covariances = np.array([np.eye(3)] * 4)
    for covariance, rise in zip(covariances, (0.1, 0.3, -0.5, 0.0), strict=True):
        covariance[-2, -1] = covariance[-1, -2] = rise
    teacher._draw_from(Gaussians(np.full((4, 3), 0.5), covariances))
    np.testing.assert_allclose(teacher.weights, [0.25, 0.75, 0, 0])
    sources = [proposal.source for proposal in teacher.sample(8000)]
    assert sources.count("random") / 8000 == pytest.approx(0.2, abs=0.02)
    assert sources.count("gaussian_1") / 8000 == pytest.approx(0.6, abs=0.02)


def test_gaussians_are_even_where_no_return_rises() -> None:
    teacher = CovarGMM(cube(1), seed=0)
    covariance = np.eye(3)
    covariance[-2, -1] = covariance[-1, -2] = -0.1
    teacher._draw_from(Gaussians(np.full((2, 3), 0.5), np.array([covariance] * 2)))
    assert teacher.weights.tolist() == [0.5, 0.5]


def test_proposals_concentrate_where_returns_change() -> None:
    teacher, student = CovarGMM(cube(2), seed=0), ChangingStudent(corner=0.3)
    tasks = run(teacher, 6000, student)[3000:]
    inside = np.mean([student.contains(task) for task in tasks])
    assert inside > 0.3  # 9% of uniform tasks are


def test_a_return_that_never_varies_keeps_the_last_good_fit() -> None:
    teacher = CovarGMM(cube(2), seed=0)
    run(teacher, 250)
    good = teacher.gaussians
    with pytest.warns(UserWarning, match="CovarGMM could not fit"):
        run(teacher, 250, lambda task: 0.3)
    assert teacher.gaussians is good
    assert teacher.metrics()["failed_fits"] == 1

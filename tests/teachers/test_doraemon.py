from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import DORAEMON
from chiron.teachers.doraemon import _entropy, _Problem, _Quantiles
from chiron.teachers.proposal import Proposal
from scipy.optimize import approx_fprime
from scipy.stats import beta, kstest

from tests.teachers.spaces import cube

PLANE = TaskSpace([TaskParameter("slope", -np.pi / 2, np.pi / 2)])
HOLDABLE = 0.3108
"""Largest slope on which the box of the inclined plane can be held, radians."""


def value_of(function: Any, x: Any) -> float:
    return float(function(x)[0])


def tell(teacher: DORAEMON, success: Any) -> None:
    """Tell one update's episodes, evenly spread over the distribution of a 1-D space."""
    n = teacher.episodes_per_update
    places = beta.ppf((np.arange(n) + 0.5) / n, teacher.a[0], teacher.b[0])
    ticket = {"update": teacher.updates}
    for task in teacher.space.denormalize(places[:, None]):
        teacher.tell(Proposal(task, "beta", ticket), float(success(task)))


@pytest.mark.parametrize(("rate", "optimum"), [(0.3, 2.092), (0.5, 5.940), (0.7, 13.70), (0.9, 34.12)])
def test_the_inclined_plane_ends_at_the_analytic_optimum(rate: float, optimum: float) -> None:
    teacher = DORAEMON(PLANE, success_rate=rate, threshold=1.0, episodes_per_update=400)
    for _ in range(14):
        tell(teacher, lambda task: abs(task[0]) < HOLDABLE)
    assert teacher.a[0] == pytest.approx(optimum, rel=0.05)
    assert teacher.b[0] == pytest.approx(optimum, rel=0.05)


def test_real_draws_end_near_it_too() -> None:
    teacher = DORAEMON(PLANE, seed=0, threshold=1.0, episodes_per_update=500)
    for _ in range(15):
        for proposal in teacher.sample(500):
            teacher.tell(proposal, float(abs(proposal.task[0]) < HOLDABLE))
    assert teacher.a[0] == pytest.approx(5.940, rel=0.3)
    assert teacher.metrics()["success"] == pytest.approx(0.5, abs=0.08)


def test_draws_are_those_of_beta_distributions() -> None:
    a, b = np.array([100.0, 1.0, 1.0, 5.9]), np.array([100.0, 1.0, 30.0, 2.1])
    draws = _Quantiles(a, b).draw(50_000, np.random.default_rng(0))
    assert ((draws >= 0) & (draws <= 1)).all()
    for column, own_a, own_b in zip(draws.T, a, b, strict=True):
        assert kstest(column, beta(own_a, own_b).cdf).pvalue > 0.01
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(4), atol=0.02)


def test_waits_until_the_student_succeeds_often_enough_once() -> None:
    teacher = DORAEMON(PLANE, threshold=1.0, episodes_per_update=50)
    tell(teacher, lambda task: False)
    assert (teacher.updates, teacher.a[0]) == (0, pytest.approx(100))
    tell(teacher, lambda task: True)
    assert teacher.updates == 1
    assert teacher.a[0] < 80


def test_goes_back_to_where_the_student_succeeds() -> None:
    teacher = DORAEMON(PLANE, threshold=1.0, episodes_per_update=200)
    for _ in range(3):
        tell(teacher, lambda task: True)
    wide = teacher.metrics()["std_slope"]
    for _ in range(3):
        tell(teacher, lambda task: 0 < task[0] < 0.1)
    assert teacher.metrics()["std_slope"] < wide
    assert teacher.a[0] > teacher.b[0]


def test_reaches_the_uniform_distribution_where_all_is_easy() -> None:
    teacher = DORAEMON(PLANE, threshold=1.0, episodes_per_update=100, max_kl=1.0)
    for _ in range(20):
        tell(teacher, lambda task: True)
    assert (teacher.a[0], teacher.b[0]) == (pytest.approx(1, abs=0.02), pytest.approx(1, abs=0.02))


def test_results_of_an_earlier_distribution_are_left_out() -> None:
    teacher = DORAEMON(PLANE, seed=0, threshold=1.0, episodes_per_update=10)
    late = teacher.sample(10)
    for proposal in teacher.sample(10):
        teacher.tell(proposal, 1.0)
    before = teacher.a.copy()
    for proposal in late:
        teacher.tell(proposal, 1.0)
    assert (teacher.updates, teacher.a.tolist()) == (1, before.tolist())


def test_gradients_are_right() -> None:
    rng = np.random.default_rng(0)
    old, new = 2 + rng.random(6), 2 + rng.random(6)
    problem = _Problem(old, old + 10, rng.random((50, 3)), rng.integers(2, size=50).astype(float), 0.1)
    for function in (problem.success, problem.divergence, _entropy):
        numeric = approx_fprime(new, partial(value_of, function), 1e-7)
        np.testing.assert_allclose(function(new)[1], numeric, rtol=1e-4, atol=1e-4)
    a, b = np.split(new, 2)
    assert _entropy(new)[0] == pytest.approx(sum(beta(*pair).entropy() for pair in zip(a, b, strict=True)))


def test_starts_where_it_is_told() -> None:
    teacher = DORAEMON(PLANE, seed=0, initial={"slope": {"mean": 0.5, "std": 0.2}})
    tasks = teacher.sample(20_000).tasks
    assert (tasks.mean(), tasks.std()) == (pytest.approx(0.5, abs=0.01), pytest.approx(0.2, abs=0.01))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"success_rate": 1.0}, "success_rate=1.0 must lie between 0 and 1"),
        ({"max_kl": 0.0}, "max_kl=0.0 must be above 0"),
        ({"episodes_per_update": 0}, "episodes_per_update=0 must be at least 1"),
        ({"threshold": float("nan")}, "threshold=nan must be a finite number"),
        (
            {"initial": {"x0": {"mean": 0.5, "std": 0.6}}},
            "initial.x0 must be a Beta distribution",
        ),
        ({"initial": {"x0": {"mean": 2, "std": 0.1}}}, r"initial.x0.mean=2 must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DORAEMON(cube(1), **arguments)

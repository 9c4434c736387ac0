from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import SPDL
from chiron.teachers.gaussian_calculus import (
    Divergence,
    Performance,
    Target,
    kl_between,
    log_densities,
    pack,
    unpack,
)
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from tests.teachers.spaces import cube

SPACE = TaskSpace([TaskParameter("height", 0, 3), TaskParameter("gap", -2, 6)])
TARGET = {"height": {"mean": 2.4, "std": 0.15}, "gap": {"mean": 4.4, "std": 0.4}}


def value_of(function: Any, x: NDArray[np.float64]) -> float:
    return float(function(x)[0])


def gaussian(dim: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    factor = 0.2 * np.tril(rng.normal(size=(dim, dim)), -1) + np.diag(0.2 + 0.1 * rng.random(dim))
    return pack(rng.random(dim), factor)


class TestGaussians:
    @pytest.mark.parametrize("dim", [1, 2, 5])
    def test_are_those_of_scipy(self, dim: int) -> None:
        x = gaussian(dim, 0)
        mean, factor = unpack(x)
        points = np.random.default_rng(1).random((20, dim))
        expected = multivariate_normal(mean, factor @ factor.T).logpdf(points)
        np.testing.assert_allclose(log_densities(x, points), expected)
        np.testing.assert_allclose(pack(mean, factor), x)

    def test_divergence_between_two_is_the_mean_difference_of_log_densities(self) -> None:
        old, new = gaussian(3, 0), gaussian(3, 1)
        mean, factor = unpack(old)
        draws = mean + np.random.default_rng(0).standard_normal((200_000, 3)) @ factor.T
        estimate = np.mean(log_densities(old, draws) - log_densities(new, draws))
        assert kl_between(old, new)[0] == pytest.approx(estimate, rel=0.02)
        assert kl_between(old, old)[0] == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("dim", [1, 2, 5])
    def test_gradients_are_right(self, dim: int) -> None:
        rng = np.random.default_rng(0)
        old = gaussian(dim, 0)
        new = old + 0.02 * rng.normal(size=len(old))
        target = Target(rng.random((2, dim)), np.full((2, dim), 0.2))
        functions: list[Any] = [
            lambda x: kl_between(old, x),
            Divergence(old, target, rng, 100),
            Performance(old, rng.random((50, dim)), rng.random(50)),
        ]
        for function in functions:
            numeric = approx_fprime(new, partial(value_of, function), 1e-7)
            np.testing.assert_allclose(function(new)[1], numeric, rtol=1e-3, atol=1e-4)

    def test_divergence_from_a_target_is_estimated(self) -> None:
        target = Target(np.array([[0.5, 0.5]]), np.array([[0.2, 0.1]]))
        old = pack(np.array([0.55, 0.45]), np.diag([0.18, 0.12]))
        goal = pack(np.array([0.5, 0.5]), np.diag([0.2, 0.1]))
        exact = (kl_between(old, goal)[0] + kl_between(goal, old)[0]) / 2
        estimate = Divergence(old, target, np.random.default_rng(0), 50_000)(old)[0]
        assert estimate == pytest.approx(exact, rel=0.05)


def play(teacher: SPDL, updates: int, score: Any) -> None:
    for _ in range(updates):
        for proposal in teacher.sample(teacher.episodes_per_update):
            teacher.tell(proposal, score(proposal.task))


class TestCurriculum:
    def test_moves_to_the_target_where_everything_is_mastered(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=1.0)
        assert (teacher.mean.tolist(), np.diag(teacher.factor).tolist()) == ([0.5, 0.5], [0.25, 0.25])
        play(teacher, 30, lambda task: 1.5)
        metrics = teacher.metrics()
        assert metrics["mean_height"] == pytest.approx(2.4, abs=0.1)
        assert metrics["mean_gap"] == pytest.approx(4.4, abs=0.3)
        assert metrics["std_height"] == pytest.approx(0.15, rel=0.4)
        assert metrics["std_gap"] == pytest.approx(0.4, rel=0.4)

    def test_steps_are_bounded_by_their_divergence(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=1.0, max_kl=0.1)
        for _ in range(8):
            old = pack(teacher.mean, teacher.factor)
            play(teacher, 1, lambda task: 1.5)
            assert kl_between(old, pack(teacher.mean, teacher.factor))[0] < 0.102
        assert teacher.updates >= 6

    @pytest.mark.medium
    def test_stays_where_the_mean_score_keeps_the_threshold(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=0.5, episodes_per_update=400)
        shares, gaps = [], []
        for _ in range(30):
            play(teacher, 1, lambda task: float(task[0] < 1.6))
            tasks = teacher.sample(2000).tasks
            shares.append(np.mean(tasks[:, 0] < 1.6))
            gaps.append(tasks[:, 1].mean())
        assert np.mean(shares[10:]) == pytest.approx(0.5, abs=0.1)
        assert np.mean(gaps[10:]) == pytest.approx(4.4, abs=0.6)

    def test_goes_back_from_the_target_where_the_threshold_is_missed(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=0.5, episodes_per_update=100)
        play(teacher, 12, lambda task: 1.0)
        before = np.mean(teacher.sample(2000).tasks[:, 0] < 2.2)
        play(teacher, 12, lambda task: float(task[0] < 2.2))
        after = np.mean(teacher.sample(2000).tasks[:, 0] < 2.2)
        assert before < 0.2
        assert after == pytest.approx(0.5, abs=0.2)

    @pytest.mark.parametrize("dim", [2, 12])
    def test_seeks_the_threshold_in_many_dimensions_too(self, dim: int) -> None:
        teacher = SPDL(cube(dim), seed=0, threshold=2.0, max_kl=0.25)
        for _ in range(5):
            old = pack(teacher.mean, teacher.factor)
            play(teacher, 1, lambda task: 1 - abs(task[0] - 0.2))
            assert kl_between(old, pack(teacher.mean, teacher.factor))[0] < 0.252
        assert teacher.updates == 5

    def test_first_seeks_where_scores_are_high(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=2.0)
        play(teacher, 20, lambda task: 1.0 - abs(task[0] - 0.5))
        assert teacher.metrics()["mean_height"] == pytest.approx(0.5, abs=0.4)

    def test_results_of_an_earlier_gaussian_are_left_out(self) -> None:
        teacher = SPDL(SPACE, seed=0, target=TARGET, threshold=1.0)
        late = teacher.sample(40)
        play(teacher, 1, lambda task: 1.5)
        updates = teacher.updates
        for proposal in late:
            teacher.tell(proposal, 1.5)
        assert teacher.updates == updates == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_kl": 0.0}, "max_kl=0.0 must be above 0"),
        ({"std_lower_bound": 0.0}, "std_lower_bound=0.0 must lie between 0 and 1"),
        ({"episodes_per_update": 1}, "episodes_per_update=1 must be at least 2"),
        ({"initial": {"x0": [0.1, 0.2]}}, "initial.x0=.* must be .mean: …, std: …"),
        ({"initial": [{"x0": {"mean": 0.1, "std": 1}}] * 2}, "initial must be one distribution, got 2"),
        ({"target": {"x0": {"mean": 3, "std": 0.1}}}, r"target.x0.mean=3 must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SPDL(cube(1), **arguments)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.teachers import ALPGMM
from chiron.teachers.gaussian_mixtures import Gaussians

from tests.teachers.spaces import ChangingStudent, cube, result, run


def alp_rows(teacher: ALPGMM) -> Any:
    return teacher.state_dict()["state"]["rows"]


def play_one_task(teacher: ALPGMM, episodes: int) -> None:
    for _ in range(episodes):
        teacher.observe(result([0.5, 0.5], 0.3))


class TestLearningProgress:
    @pytest.mark.parametrize("dim", [1, 2, 20])
    def test_is_the_change_since_the_nearest_task_of_the_whole_history(self, dim: int) -> None:
        rng = np.random.default_rng(0)
        teacher = ALPGMM(cube(dim, 0, 10), seed=0, fit_rate=4000)
        tasks = teacher.space.sample(rng, 3000).astype(np.float64)
        tasks[1500:1600] = tasks[200:300]  # some are played twice
        returns = rng.random(3000)
        for task, episode_return in zip(tasks, returns, strict=True):
            teacher.observe(result(task, episode_return))
        progress = alp_rows(teacher)[:, -1]
        assert progress[:6].tolist() == [0] * 6
        for i in range(6, 3000):
            distances = ((tasks[:i] - tasks[i]) ** 2).sum(axis=1)
            nearest = np.flatnonzero(distances == distances.min())
            if distances.min() == 0:
                nearest = nearest[-1:]  # a task that was played again counts with its latest return
            assert np.abs(np.abs(returns[i] - returns[nearest]) - progress[i]).min() < 1e-12

    def test_is_zero_for_the_first_six_episodes(self) -> None:
        teacher = ALPGMM(cube(2), seed=0)
        for i in range(8):
            teacher.observe(result([0.1 * i, 0.5], float(i)))
        assert alp_rows(teacher)[:, -1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]

    def test_a_task_played_again_is_compared_with_its_latest_return(self) -> None:
        teacher = ALPGMM(cube(2), seed=0)
        for episode_return in (0, 1, 2, 3, 4, 5, 10, 30, 60):
            teacher.observe(result([0.5, 0.5], episode_return))
        assert alp_rows(teacher)[-3:, -1].tolist() == [5, 20, 30]


class TestProposals:
    def test_are_uniform_until_the_first_fit(self) -> None:
        teacher = ALPGMM(cube(2), seed=0, fit_rate=2000)
        tasks = run(teacher, 2000)
        counts, *_ = np.histogram2d(tasks[:, 0], tasks[:, 1], bins=4, range=[[0, 1], [0, 1]])
        chi_square = ((counts - 125) ** 2 / 125).sum()
        assert chi_square < 37.7  # the 99.9% quantile with 15 degrees of freedom
        assert teacher.gaussians is not None

    def test_choose_gaussians_in_proportion_to_their_mean_progress(self) -> None:
        teacher = ALPGMM(cube(2), seed=0)
        means = np.array([[0.2, 0.2, 0.1], [0.5, 0.5, 0.3], [0.8, 0.8, 0.0], [0.5, 0.1, -0.2]])
        teacher._draw_from(Gaussians(means, np.array([np.eye(3) * 1e-4] * 4)))
        np.testing.assert_allclose(teacher.weights, [0.25, 0.75, 0, 0])
        sources = [proposal.source for proposal in teacher.sample(8000)]
        shares = {source: sources.count(source) / 8000 for source in set(sources)}
        assert set(shares) == {"random", "gaussian_0", "gaussian_1"}
        assert shares["random"] == pytest.approx(0.2, abs=0.02)
        assert shares["gaussian_0"] == pytest.approx(0.2, abs=0.02)
        assert shares["gaussian_1"] == pytest.approx(0.6, abs=0.02)

    def test_follow_the_gaussian_they_name(self) -> None:
        teacher = ALPGMM(cube(2), seed=0, random_ratio=0)
        covariance = np.array([[4, 3, 1], [3, 9, 2], [1, 2, 5]]) * 1e-4
        teacher._draw_from(Gaussians(np.array([[0.4, 0.6, 0.5]]), covariance[None]))
        tasks = teacher.sample(20_000).tasks
        np.testing.assert_allclose(tasks.mean(axis=0), [0.4, 0.6], atol=2e-3)
        np.testing.assert_allclose(np.cov(tasks.T), covariance[:2, :2], atol=4e-5)

    def test_are_even_over_gaussians_without_progress(self) -> None:
        teacher = ALPGMM(cube(2), seed=0)
        teacher._draw_from(Gaussians(np.full((4, 3), [0.5, 0.5, 0.0]), np.array([np.eye(3)] * 4)))
        assert teacher.weights.tolist() == [0.25] * 4

    def test_concentrate_where_returns_change(self) -> None:
        teacher, student = ALPGMM(cube(2), seed=0), ChangingStudent(corner=0.3)
        tasks = run(teacher, 6000, student)[3000:]
        inside = np.mean([student.contains(task) for task in tasks])
        assert inside > 0.4  # 9% of uniform tasks are


class TestFits:
    def test_use_the_last_rows_alone(self) -> None:
        teacher = ALPGMM(cube(1), seed=0, fit_rate=100, random_ratio=0)
        rng = np.random.default_rng(0)
        for low in (0.0, 0.9):
            for _ in range(100):
                teacher.observe(result([low + 0.1 * rng.random()], rng.random()))
        assert teacher.gaussians is not None
        assert (teacher.gaussians.means[:, 0] > 0.85).all()

    def test_by_scikit_learn_resume_bit_for_bit_and_are_none_of_our_own(self) -> None:
        first, resumed, own = (
            ALPGMM(cube(2), seed=0, fit_with=fit_with)
            for fit_with in ("scikit_learn", "scikit_learn", "chiron")
        )
        before, of_own = run(first, 600), run(own, 600)
        assert np.array_equal(before[:250], of_own[:250])  # before the first fit
        assert not np.array_equal(before[250:], of_own[250:])
        resumed.load_state_dict(first.state_dict())
        assert np.array_equal(run(first, 300), run(resumed, 300))

    def test_that_fail_keep_the_last_good_ones_are_counted_and_warn_once(self) -> None:
        teacher = ALPGMM(cube(2), seed=0)
        run(teacher, 250)
        good = teacher.gaussians
        assert good is not None
        with pytest.warns(UserWarning, match="ALPGMM could not fit Gaussians to the last 250") as warned:
            play_one_task(teacher, 750)
        assert len(warned) == 1
        assert teacher.gaussians is good
        assert teacher.metrics()["failed_fits"] == 3
        run(teacher, 250)
        assert teacher.gaussians is not good

    def test_a_restored_teacher_does_not_warn_again(self, recwarn: pytest.WarningsRecorder) -> None:
        teacher, restored = ALPGMM(cube(2), seed=0), ALPGMM(cube(2), seed=0)
        with pytest.warns(UserWarning, match="could not fit"):
            run(teacher, 250, lambda task: 0.0)
        restored.load_state_dict(teacher.state_dict())
        run(restored, 250, lambda task: 0.0)
        assert restored.metrics()["failed_fits"] == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"fit_rate": 9}, "fit_rate=9 must be at least max_gaussians=10"),
        ({"random_ratio": 1.5}, r"random_ratio=1.5 must lie in \[0, 1\]"),
        ({"min_gaussians": 5, "max_gaussians": 4}, "min_gaussians=5 must be at least 1 and at most max_g"),
        ({"criterion": "aicc"}, r"criterion='aicc' must be one of \['aic', 'bic'\]"),
        ({"n_init": 0}, "n_init=0 must be at least 1"),
        ({"fit_with": "sklearn"}, r"fit_with='sklearn' must be one of \['chiron', 'scikit_learn'\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ALPGMM(cube(2), **arguments)


def test_a_state_with_another_fit_rate_is_refused() -> None:
    state = ALPGMM(cube(2), fit_rate=100).state_dict()
    with pytest.raises(ValueError, match="fit_rate=250 must be the stored state's 100"):
        ALPGMM(cube(2)).load_state_dict(state)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import CURROT
from chiron.teachers.currot import sliced_transport
from chiron.teachers.success_buffer import SuccessBuffer

from tests.teachers.spaces import cube

SPACE = TaskSpace([TaskParameter("height", 0, 3), TaskParameter("gap", -2, 6)])
TARGET = [
    {"height": {"mean": 2.4, "std": 0.03}, "gap": {"mean": 5.2, "std": 0.1}},
    {"height": {"mean": 0.6, "std": 0.03}, "gap": {"mean": 5.2, "std": 0.1}},
]


def play(teacher: CURROT, updates: int, score: Any) -> None:
    for _ in range(updates):
        for proposal in teacher.sample(teacher.episodes_per_update):
            teacher.tell(proposal, score(proposal.task))


class TestCurriculum:
    def test_particles_spread_over_all_parts_of_a_target(self) -> None:
        teacher = CURROT(SPACE, seed=0, target=TARGET, threshold=1.0)
        play(teacher, 60, lambda task: 1.5)
        tasks = teacher.sample(2000).tasks
        assert tasks[:, 1].min() > 4.2
        left = tasks[:, 0] < 1.5
        assert left.mean() == pytest.approx(0.5, abs=0.1)
        assert tasks[left, 0].mean() == pytest.approx(0.6, abs=0.2)
        assert tasks[~left, 0].mean() == pytest.approx(2.4, abs=0.2)

    def test_particles_end_at_the_frontier_of_what_the_student_masters(self) -> None:
        teacher = CURROT(SPACE, seed=0, target=TARGET, threshold=0.5)
        play(teacher, 30, lambda task: float(task[1] < 3.0))
        gaps = []
        for _ in range(20):
            play(teacher, 1, lambda task: float(task[1] < 3.0))
            gaps.append(teacher.sample(500).tasks[:, 1])
        # The estimate blurs the step from 1 to 0 at 3 by its length scale, 0.3 of the farthest move.
        length = 0.3 * 0.05 * np.sqrt(2) * 8
        assert np.mean(gaps) == pytest.approx(3.0, abs=length)
        assert np.std(gaps) < length
        assert np.quantile(gaps, 0.95) < 3.0 + 2 * length

    def test_particles_first_gather_where_scores_are_highest(self) -> None:
        teacher = CURROT(SPACE, seed=0, target=TARGET, threshold=0.95)
        play(teacher, 60, lambda task: 1 - abs(task[0] - 0.5) / 3 - abs(task[1]) / 8)
        tasks = teacher.sample(2000).tasks
        np.testing.assert_allclose(tasks.mean(axis=0), [0.5, 0.2], atol=0.5)

    def test_starts_where_it_is_told_and_is_uniform_otherwise(self) -> None:
        tasks = CURROT(SPACE, seed=0, initial={"height": [0.0, 0.1]}).sample(2000).tasks
        assert tasks[:, 0].max() < 0.11
        assert tasks[:, 1].min() == pytest.approx(-2, abs=0.3)
        assert tasks[:, 1].max() == pytest.approx(6, abs=0.3)

    def test_no_particle_moves_farther_than_epsilon(self) -> None:
        teacher = CURROT(cube(2), seed=0, target={"x0": 1.0, "x1": 1.0}, threshold=0.5, epsilon=0.02)
        play(teacher, 10, lambda task: 1.0)
        before = teacher.particles
        play(teacher, 1, lambda task: 1.0)
        moved = np.linalg.norm(teacher.particles - before, axis=1)
        assert 0.01 < moved.max() <= 0.02 * np.sqrt(2) + 1e-9


class TestTransport:
    def test_repeated_steps_reach_the_target(self) -> None:
        rng = np.random.default_rng(0)
        source, target = rng.normal(0, 0.1, (60, 2)), rng.normal(1, 0.2, (60, 2))
        for _ in range(60):
            source = source + sliced_transport(source, target, 100, rng)
        np.testing.assert_allclose(source.mean(axis=0), target.mean(axis=0), atol=0.02)
        np.testing.assert_allclose(source.std(axis=0), target.std(axis=0), atol=0.03)

    def test_in_one_dimension_one_step_does(self) -> None:
        rng = np.random.default_rng(0)
        source, target = rng.random((9, 1)), rng.random((9, 1))
        moved = source + sliced_transport(source, target, 10, rng)
        np.testing.assert_allclose(np.sort(moved, axis=0), np.sort(target, axis=0))


class TestSuccessBuffer:
    def test_keeps_the_best_until_the_median_is_above_the_threshold(self) -> None:
        buffer = SuccessBuffer(1, 4, 0.01)
        target = np.full((4, 1), 0.9)
        failed = buffer.add(np.array([[0.1], [0.2], [0.3]]), np.array([1.0, 3.0, 2.0]), 5.0, target)
        assert failed.tolist() == [False] * 3
        assert (buffer.scores.tolist(), buffer.tasks[:, 0].tolist()) == ([1, 2, 3], [0.1, 0.3, 0.2])
        failed = buffer.add(np.array([[0.4], [0.5], [0.6]]), np.array([1.0, 7.0, 6.0]), 5.0, target)
        assert failed.tolist() == [True, False, False]
        assert buffer.scores.tolist() == [3, 6, 7]
        assert not buffer.reached
        buffer.add(np.array([[0.7], [0.8]]), np.array([8.0, 9.0]), 5.0, target)
        assert buffer.scores.tolist() == [7, 8, 9]
        assert buffer.reached

    def test_then_keeps_what_is_mastered_nearest_to_the_target(self) -> None:
        buffer = SuccessBuffer(1, 2, 0.01)
        buffer.tasks, buffer.scores, buffer.reached = np.array([[0.1], [0.2]]), np.array([9.0, 4.0]), True
        target = np.array([[0.9], [1.0]])
        failed = buffer.add(np.array([[0.5], [0.6]]), np.array([4.9, 6.0]), 5.0, target)
        assert failed.tolist() == [True, False]
        assert sorted(buffer.tasks[:, 0].tolist()) == [0.1, 0.6]
        failed = buffer.add(np.array([[0.8], [0.05]]), np.array([5.0, 7.0]), 5.0, target)
        assert failed.tolist() == [False, True]
        assert sorted(buffer.tasks[:, 0].tolist()) == [0.6, 0.8]

    def test_searches_farther_around_tasks_that_score_less(self) -> None:
        rng = np.random.default_rng(0)
        buffer = SuccessBuffer(1, 100, 0.001)
        buffer.add(np.full((50, 1), 0.5), np.zeros(50), 1.0, np.full((100, 1), 0.5))
        assert buffer.draw(4000, 1.0, rng).std() == pytest.approx(0.25, rel=0.2)
        buffer.add(np.full((50, 1), 0.5), np.full(50, 0.9), 1.0, np.full((100, 1), 0.5))
        assert buffer.draw(4000, 1.0, rng).std() < 0.05


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0 must be above 0"),
        ({"particles": 1}, "particles=1 must be at least 2"),
        ({"episodes_per_update": 100}, "episodes_per_update=100 must be at least 1 and below particles=100"),
        ({"target": {"x0": 1.5}}, r"target.x0=1.5 must lie in \[0, 1\]"),
        ({"initial": {"y": 0.5}}, r"initial.y must be one of the task's parameters \['x0'\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CURROT(cube(1), **arguments)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs import StumpTracks
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import Oracle

from tests.listing import build_teacher
from tests.teachers.spaces import cube, played


def tell(teacher: Oracle, *returns: float) -> None:
    for episode_return in returns:
        teacher.observe(played(teacher.sample(), episode_return, StumpTracks.mastered_return))


class TestStumpTracks:
    @pytest.fixture
    def oracle(self) -> Oracle:
        oracle: Oracle = build_teacher("oracle", space=StumpTracks.task_space(), seed=0)
        return oracle

    def test_starts_with_low_and_wide_stumps_and_takes_the_papers_steps(self, oracle: Oracle) -> None:
        np.testing.assert_allclose(oracle.steps, [0.1, -0.2])
        np.testing.assert_allclose(oracle.window, [0.5, 1.0])
        np.testing.assert_allclose(oracle.position, [0.0, 5.0])
        tasks = np.array([oracle.sample().task for _ in range(2000)])
        np.testing.assert_allclose(tasks.min(axis=0), [0.0, 5.0], atol=0.01)
        np.testing.assert_allclose(tasks.max(axis=0), [0.5, 6.0], atol=0.01)
        np.testing.assert_allclose(tasks.mean(axis=0), [0.25, 5.5], atol=0.02)

    def test_moves_after_fifty_episodes_above_the_threshold(self, oracle: Oracle) -> None:
        tell(oracle, *[231.0] * 49)
        np.testing.assert_allclose(oracle.position, [0.0, 5.0])
        tell(oracle, 231.0)
        np.testing.assert_allclose(oracle.position, [0.1, 4.8])

    def test_stays_at_the_threshold_and_starts_counting_again(self, oracle: Oracle) -> None:
        tell(oracle, *[230.0] * 50, *[300.0] * 49)
        np.testing.assert_allclose(oracle.position, [0.0, 5.0])
        tell(oracle, 300.0)
        np.testing.assert_allclose(oracle.position, [0.1, 4.8])

    def test_the_mean_decides(self, oracle: Oracle) -> None:
        tell(oracle, *[-100.0] * 10, *[320.0] * 40)
        np.testing.assert_allclose(oracle.position, [0.1, 4.8])

    def test_stops_at_the_hard_end_of_each_parameter(self, oracle: Oracle) -> None:
        tell(oracle, *[300.0] * 50 * 40)
        np.testing.assert_allclose(oracle.position, [2.5, 0.0])
        assert oracle.metrics() == {"window_stump_height": 2.5, "window_obstacle_spacing": 0.0}


def test_wants_raw_returns() -> None:
    assert not Oracle(cube(2)).scales_returns


def test_steps_may_be_given_by_name_for_some_parameters_and_for_groups() -> None:
    space = TaskSpace(
        [TaskParameter("a", 0, 3), TaskParameter("b", 0, 6, size=2), TaskParameter("c", -1, 2, easy="high")]
    )
    oracle = Oracle(space, seed=0, steps={"a": -0.5, "b": [1, -2]})
    np.testing.assert_allclose(oracle.steps, [-0.5, 1, -2, -0.1])
    np.testing.assert_allclose(oracle.position, [2.5, 0, 5, 1.5])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"steps": {"y": 0.1}}, r"steps=\['y'\] must be parameters of the task space: \['x0', 'x1'\]"),
        ({"steps": {"x0": 0}}, "steps.x0=0 must be one number or 1, finite and not 0"),
        ({"steps": {"x0": [0.1, 0.1]}}, r"steps.x0=\[0.1, 0.1\] must be one number or 1"),
        ({"steps": {"x1": float("nan")}}, "steps.x1=nan must be one number"),
        ({"window_ratio": 0.0}, "window_ratio=0.0 must be above 0 and at most 1"),
        ({"episodes_per_step": 0}, "episodes_per_step=0 must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Oracle(cube(2), **arguments)


def test_a_threshold_of_its_own_overrides_the_envs() -> None:
    oracle = Oracle(cube(1), seed=0, threshold=10.0, episodes_per_step=1)
    oracle.observe(played(oracle.sample(), 9.0, mastered_score=1.0))
    assert oracle.position.tolist() == [0.0]
    oracle.observe(played(oracle.sample(), 11.0, mastered_score=1.0))
    assert oracle.position[0] > 0


def test_a_threshold_that_no_episode_reaches_is_said_once_after_a_while() -> None:
    oracle = Oracle(cube(1), seed=0, threshold=500.0)
    tell(oracle, *[10.0, 20.0] * 500)
    with pytest.warns(UserWarning, match="threshold=500 was reached by none of the first 1000 .*score is 20"):
        tell(oracle, 0.0)
    tell(oracle, *[0.0] * 2000)


def test_says_so_if_nothing_tells_it_what_mastery_is() -> None:
    oracle = Oracle(cube(1), seed=0, episodes_per_step=1)
    with pytest.raises(ValueError, match="threshold=None must be a number"):
        oracle.observe(played(oracle.sample(), 9.0, mastered_score=None))

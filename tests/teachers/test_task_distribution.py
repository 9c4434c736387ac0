from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers.task_distribution import TaskDistribution, task_distribution, uniform_over

SPACE = TaskSpace([TaskParameter("height", 0, 3), TaskParameter("gap", -2, 6, size=2)])
ALL = ("uniform", "gaussian", "mixture")


def described(description: Any, kinds: Any = ALL) -> TaskDistribution:
    return task_distribution(description, uniform_over(SPACE.low, SPACE.high, SPACE), "target", kinds)


def test_each_parameter_is_a_number_bounds_or_a_gaussian_and_uniform_where_it_is_not_named() -> None:
    rng = np.random.default_rng(0)
    tasks = described({"height": {"mean": 1.0, "std": 0.1}, "gap": [[0, 5], 5]}).sample(rng, 5000)
    np.testing.assert_allclose(tasks[:, 0].mean(), 1.0, atol=0.01)
    np.testing.assert_allclose(tasks[:, 0].std(), 0.1, atol=0.01)
    np.testing.assert_allclose(tasks[:, 1].mean(), 2.5, atol=0.1)
    assert (tasks[:, 2] == 5).all()
    assert (described({"height": 2.5}).sample(rng, 10)[:, 0] == 2.5).all()
    assert described({"height": 2.5}).sample(rng, 5000)[:, 1:].min() < -1.9
    assert described(None).sample(rng, 5000).max(axis=0).tolist() == pytest.approx([3, 6, 6], abs=0.01)


def test_a_list_is_a_mixture_and_tasks_are_clipped_to_the_space() -> None:
    mixture = described([{"height": 0.5}, {"height": {"mean": 3.0, "std": 0.5}}])
    heights = mixture.sample(np.random.default_rng(0), 4000)[:, 0]
    assert np.mean(heights == 0.5) == pytest.approx(0.5, abs=0.03)
    assert np.mean(heights == 3.0) == pytest.approx(0.25, abs=0.03)
    means, stds = mixture.moments()
    np.testing.assert_allclose(means[:, 0], [0.5, 3.0])
    np.testing.assert_allclose(stds[:, :2], [[0, 8 / np.sqrt(12)], [0.5, 8 / np.sqrt(12)]], rtol=1e-6)


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ({"hight": 1}, r"target.hight must be one of the task's parameters \['height', 'gap'\]"),
        ({"height": 4}, r"target.height=4 must lie in \[0, 3\]"),
        ({"height": [1, 4]}, r"target.height=\[1, 4\] must lie in \[0, 3\]"),
        ({"height": [2, 1]}, r"target.height=\[2, 1\] must have low <= high"),
        ({"height": [1, 2, 3]}, r"target.height=\[1, 2, 3\] must be a number, \[low, high\] or"),
        ({"height": {"mean": -1, "std": 1}}, r"target.height.mean=-1 must lie in \[0, 3\]"),
        ({"height": {"mean": 1, "std": 0}}, "target.height.std=0 must be above 0"),
        ({"height": {"mean": 1}}, "must have the keys mean and std"),
        ({"height": "tall"}, "target.height='tall' must be a finite number"),
        ({"height": float("nan")}, "target.height=nan must be a finite number"),
        ({"gap": {"mean": [1, 2, 3], "std": 1}}, "target.gap.mean=.* must be a finite number, or 2 of them"),
        ([], r"target=\[\] must be a dict of parameters, or a list of them"),
        ("high", "target='high' must be a dict of parameters, or a list of them"),
        ([1], r"target=\[1\] must be a dict of parameters, or a list of them"),
    ],
)
def test_what_is_no_distribution_over_the_space_is_refused(description: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        described(description)


def test_a_teacher_says_which_kinds_it_takes() -> None:
    with pytest.raises(ValueError, match="target must be one distribution, got 2"):
        described([{"height": 1}, {"height": 2}], ["uniform"])
    with pytest.raises(ValueError, match=r"target.height=1 must be \{mean: …, std: …\}"):
        described({"height": 1}, ["gaussian"])

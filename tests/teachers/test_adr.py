from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs import PointMass
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import ADR
from chiron.teachers.proposal import Proposal

from tests.listing import build_teacher
from tests.teachers.spaces import cube

LOW, HIGH = 0, 1
"""The boundaries of a space of one dimension."""
INSIDE = -1


def tell(teacher: ADR, boundary: int, score: float) -> None:
    """Tell the score of an episode on the current boundary of a 1-D box."""
    place = float((teacher.high if boundary == HIGH else teacher.low)[0])
    task = np.array([place], dtype=np.float32)
    teacher.tell(Proposal(task, "boundary", {"boundary": boundary, "place": place}), score)


def test_twenty_episodes_move_the_box_as_computed_by_hand() -> None:
    space = TaskSpace([TaskParameter("x", 0, 10, default=5)])
    teacher = ADR(space, queue_length=2, step=0.1, high_threshold=0.8, low_threshold=0.2, scales_returns=True)
    trace = []
    for boundary, score in [
        *((HIGH, 1.0), (HIGH, 0.6)),  # mean 0.8: outwards
        *((LOW, 0.9), (HIGH, 1.0), (LOW, 0.5)),  # separate queues; 0.7: stays
        *((HIGH, 0.9),),  # 0.95: outwards
        *((LOW, 1.0), (LOW, 0.9)),  # outwards
        *((INSIDE, 0.0), (INSIDE, 0.0)),  # ignored
        *((HIGH, 0.0), (HIGH, 0.4)),  # 0.2: inwards
        *((HIGH, 0.1), (HIGH, 0.1)),  # inwards
        *((HIGH, 0.0), (HIGH, 0.0)),  # inwards, onto the other boundary
        *((HIGH, 0.0), (HIGH, 0.0)),  # not past it
        *((LOW, 0.0), (LOW, 0.0)),  # nor the low boundary past the high one
    ]:
        tell(teacher, boundary, score)
        trace.append((float(teacher.low[0]), float(teacher.high[0])))
    moves = [((5, 5), 1), ((5, 6), 4), ((5, 7), 2), ((4, 7), 4), ((4, 6), 2), ((4, 5), 2), ((4, 4), 5)]
    expected = [box for box, episodes in moves for _ in range(episodes)]
    assert len(trace) == 20
    np.testing.assert_allclose(trace, expected)


def test_results_from_where_a_boundary_was_before_are_left_out() -> None:
    space = TaskSpace([TaskParameter("x", 0, 10, default=5)])
    teacher = ADR(space, queue_length=1, step=0.1, high_threshold=0.8)
    late = Proposal(np.array([5], np.float32), "boundary", {"boundary": HIGH, "place": 5.0})
    teacher.tell(late, 1.0)
    teacher.tell(late, 1.0)
    assert teacher.high.tolist() == [6.0]


def test_the_box_follows_what_the_student_masters() -> None:
    teacher = ADR(TaskSpace([TaskParameter("x", 0, 1)]), seed=0, initial={"x": 0.0}, queue_length=20)
    reach = 0.1
    for _ in range(6000):
        reach = min(reach + 1e-4, 0.6)
        proposal = teacher.sample()
        teacher.tell(proposal, float(proposal.task[0] < reach), mastered_score=0.8)
    assert teacher.high[0] == pytest.approx(0.6, abs=0.04)
    assert teacher.low[0] == 0.0


def test_half_of_the_tasks_lie_on_boundaries_each_as_often() -> None:
    teacher = ADR(cube(2), seed=0, initial={"x0": [0.2, 0.4], "x1": [0.5, 0.9]})
    proposals = teacher.sample(20_000)
    boundaries = proposals.tickets["boundary"]
    assert (np.bincount(boundaries + 1) / 20_000).tolist() == pytest.approx([0.5, *[0.125] * 4], abs=0.01)
    tasks = proposals.tasks
    for boundary, (column, place) in enumerate([(0, 0.2), (1, 0.5), (0, 0.4), (1, 0.9)]):
        np.testing.assert_allclose(tasks[boundaries == boundary, column], place, rtol=1e-6)
    inside = tasks[boundaries == INSIDE]
    np.testing.assert_allclose(inside.min(axis=0), [0.2, 0.5], atol=1e-3)
    np.testing.assert_allclose(inside.max(axis=0), [0.4, 0.9], atol=1e-3)


def test_starts_at_the_default_task_of_the_env() -> None:
    teacher = build_teacher("adr", space=PointMass().task_space, seed=0)
    assert teacher.sample(100).tasks.tolist() == [[0.0, 8.0]] * 100


def test_the_low_threshold_is_half_of_the_high_one() -> None:
    teacher = ADR(cube(1), queue_length=1, initial={"x0": [0.2, 0.6]})
    proposal = Proposal(np.array([0.6], np.float32), "boundary", {"boundary": HIGH, "place": 0.6})
    teacher.tell(proposal, 0.5, mastered_score=0.9)
    assert teacher.high.tolist() == [0.6]
    teacher.tell(proposal, 0.4, mastered_score=0.9)
    assert teacher.high.tolist() == pytest.approx([0.58])
    with pytest.raises(ValueError, match="must be below high_threshold=-200, half of which is -100"):
        ADR(cube(1)).tell(teacher.sample(), 0.0, mastered_score=-200.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"step": 0.0}, "step=0.0 must be above 0 and at most 1"),
        ({"boundary_probability": 0.0}, "boundary_probability=0.0 must be above 0 and at most 1"),
        ({"queue_length": 0}, "queue_length=0 must be at least 1"),
        ({"low_threshold": 2.0, "high_threshold": 1.0}, "low_threshold=2.0 must be below high_threshold=1"),
        ({"initial": {"x0": {"mean": 0.5, "std": 0.1}}}, r"initial.x0=.* must be a number or \[low, high\]"),
        ({"initial": {"x0": [0.5, 1.5]}}, r"initial.x0=\[0.5, 1.5\] must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ADR(cube(2), **arguments)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import ACCEL, Proposal
from chiron.teachers.level_buffer import NONE

from tests.teachers.spaces import cube
from tests.teachers.test_plr import rated, surprising


def told(teacher: ACCEL, proposal: Proposal, score: float) -> Proposal:
    teacher.observe(rated(proposal, surprising(score)))
    return proposal


def replaying(**settings: Any) -> ACCEL:
    """A teacher with one level, which it replays whenever there is nothing to edit."""
    teacher = ACCEL(cube(2), 0, replay_probability=1.0, buffer_size=4, minimum_fill=0.25, **settings)
    assert told(teacher, teacher.sample(), 1.0).source == "random"
    return teacher


def test_the_lineage_by_hand() -> None:
    """Random level 0 is replayed, its copy becomes level 1; that is replayed, and its copy level 2."""
    teacher = replaying(edits=2, staleness=0.0)
    assert told(teacher, teacher.sample(), 1.0).source == "replay"
    child = told(teacher, teacher.sample(), 5.0)
    assert (child.source, child.ticket["parent"], child.ticket["edits"]) == ("edit", 0, 2)
    replay = told(teacher, teacher.sample(), 5.0)
    assert (replay.source, replay.ticket["level"], replay.ticket["edits"]) == ("replay", 1, 2)
    grandchild = told(teacher, teacher.sample(), 9.0)
    assert (grandchild.source, grandchild.ticket["parent"], grandchild.ticket["edits"]) == ("edit", 1, 4)
    levels = teacher.levels
    assert levels.numbers[:3].tolist() == [0, 1, 2]
    assert levels.parents[:3].tolist() == [NONE, 0, 1]
    assert levels.edits[:3].tolist() == [0, 2, 4]
    assert levels.scores[:3].tolist() == [1.0, 5.0, 9.0]
    assert levels.tasks[2].tolist() == grandchild.task.tolist()
    assert levels.seeds[:3].tolist() == [int(levels.seeds[0]), child.seed, grandchild.seed]
    assert len(set(levels.seeds[:3].tolist())) == 3
    # Ranks 3, 2, 1 at temperature 0.1.
    weights = np.array([3.0**-10, 2.0**-10, 1.0])
    assert teacher.metrics()["replayed_edits"] == pytest.approx(weights @ [0, 2, 4] / weights.sum())


def test_an_edit_moves_parameters_by_a_step_up_down_or_not_at_all() -> None:
    space = TaskSpace([TaskParameter("a", 0, 10), TaskParameter("b", -2, 2), TaskParameter("c", 0, 1)])
    teacher = ACCEL(space, 0, replay_probability=1.0, buffer_size=1, minimum_fill=1.0, edits=1, edit_size=0.1)
    told(teacher, Proposal(np.array([5, 0, 0.95], np.float32), "test"), 1.0)
    moves = []
    for _ in range(300):
        told(teacher, teacher.sample(), 1.0)
        child = teacher.sample()
        assert child.source == "edit"
        moves.append(np.round(space.normalize(child.task) - [0.5, 0.5, 0.95], 5).tolist())
    counts = {move: moves.count(list(move)) for move in {tuple(move) for move in moves}}
    ups = [(0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.05)]
    downs = [(-0.1, 0.0, 0.0), (0.0, -0.1, 0.0), (0.0, 0.0, -0.1)]
    assert set(counts) == {(0.0, 0.0, 0.0), *ups, *downs}
    assert counts[0.0, 0.0, 0.0] == pytest.approx(100, abs=30)
    assert all(counts[move] == pytest.approx(100 / 3, abs=20) for move in ups + downs)


def test_as_many_copies_are_proposed_next_as_levels_were_replayed() -> None:
    teacher = replaying()
    for replay in teacher.sample(3):
        told(teacher, replay, 1.0)
    assert [proposal.source for proposal in teacher.sample(2)] == ["edit", "edit"]
    assert [proposal.source for proposal in teacher.sample(3)] == ["edit", "replay", "replay"]


def test_it_is_learned_from_replayed_levels_alone() -> None:
    teacher = replaying()
    seen = set()
    for _ in range(20):
        proposal = told(teacher, teacher.sample(), 1.0)
        seen.add((proposal.source, proposal.trains))
    assert seen == {("replay", True), ("edit", False)}


def test_new_tasks_are_easy_or_where_the_user_says() -> None:
    space = TaskSpace([TaskParameter("height", 0, 3), TaskParameter("spacing", -2, 6, size=2, easy="high")])
    tasks = ACCEL(space, 0).sample(500).tasks
    assert (tasks[:, 0] <= 0.3001).all()
    assert (tasks[:, 1:] >= 5.1999).all()
    assert np.ptp(tasks, axis=0) == pytest.approx([0.3, 0.8, 0.8], rel=0.1)
    tasks = ACCEL(space, 0, initial={"height": [1, 2]}).sample(500).tasks
    assert tasks[:, 0].min() >= 1
    assert tasks[:, 0].max() <= 2
    assert (tasks[:, 1:] >= 5.1999).all()
    with pytest.raises(ValueError, match=r"initial.height=\[1, 4\] must lie in \[0, 3\]"):
        ACCEL(space, 0, initial={"height": [1, 4]})


def test_levels_to_be_edited_are_part_of_the_state() -> None:
    teacher, restored = replaying(), ACCEL(cube(2), 9, replay_probability=1.0, buffer_size=4)
    for replay in teacher.sample(3):
        told(teacher, replay, 1.0)
    restored.load_state_dict(teacher.state_dict())
    for _ in range(4):
        mine, theirs = teacher.sample(), restored.sample()
        assert (mine.task.tolist(), mine.seed, mine.ticket) == (
            theirs.task.tolist(),
            theirs.seed,
            theirs.ticket,
        )
        told(teacher, mine, 1.0)
        told(restored, mine, 1.0)


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("edits", 0, r"edits=0 must lie in \[1, 1000\]"),
        ("edit_size", 0, "edit_size=0 must be above 0 and at most 1"),
        ("edit_size", 1.1, "edit_size=1.1 must be above 0 and at most 1"),
        ("temperature", -1, "temperature=-1 must be above 0 and finite"),
    ],
)
def test_arguments_out_of_range_are_refused(argument: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ACCEL(cube(1), 0, **{argument: value})

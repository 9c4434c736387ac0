from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.runs.state_file import load_state, save_state
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import GridLP, Proposal, Random, Teacher

from tests.teachers.spaces import cube, run

RULES = ("progress", "growth")


def tell(teacher: GridLP, task: list[float], score: float) -> None:
    teacher.tell(Proposal(np.array(task, np.float32), "bin"), score, mastered_score=0.75)


def competence(teacher: Teacher, row: ToyGrid, episodes: int = 3600) -> list[float]:
    """Competence in the last two bins of a row after some episodes."""
    run(teacher, episodes, row.play)
    return [float(x) for x in row.competence_map[-2:]]


class TestProgress:
    def test_is_the_signed_difference_of_the_means_of_successive_stages(self) -> None:
        teacher = GridLP(cube(1, 0, 4), bins=4, episodes_per_bin=1)
        for scores in ([0.1, 0.3, 0.5, None], [0.4, 0.2, None, 0.6], [None, 0.5, 0.7, 0.6]):
            for part, score in enumerate(scores):
                if score is not None:
                    tell(teacher, [part + 0.5], score)
            tell(teacher, [1.2], scores[1] or 0.0)
        # A bin without episodes in a stage has no progress, and is later compared with its last mean.
        np.testing.assert_allclose(teacher.progress, [[0.0, 0.3, 0.2, 0.0]], atol=1e-12)
        odds = np.exp(np.array([0.0, 0.3, 0.2, 0.0]) / 0.05)
        np.testing.assert_allclose(teacher.weights[0] / teacher.weights.sum(), odds / odds.sum())

    def test_a_share_of_the_tasks_is_uniform(self) -> None:
        teacher = GridLP(cube(2, -1, 1), seed=0)
        teacher.weights[0] = 0
        teacher.weights[0, 42] = 1
        proposals = teacher.sample(20_000)
        is_random = np.array(proposals.sources) == "random"
        assert is_random.mean() == pytest.approx(0.15, abs=0.01)
        # The 42nd of 10 x 10 bins is the fifth of the first number and the third of the second.
        low, high = proposals.tasks[~is_random].min(axis=0), proposals.tasks[~is_random].max(axis=0)
        np.testing.assert_allclose(low, [-0.2, -0.6], atol=1e-3)
        np.testing.assert_allclose(high, [0.0, -0.4], atol=1e-3)
        np.testing.assert_allclose(proposals.tasks[is_random].mean(axis=0), 0, atol=0.05)


class TestGrowth:
    def test_unlocks_the_neighbours_of_a_bin_by_a_fifth_for_each_success(self) -> None:
        teacher = GridLP(cube(2), rule="growth", bins=3)
        for task, score in [
            ([0.1, 0.1], 0.9),  # unlocks three neighbours
            ([0.5, 0.1], 0.7),  # below the threshold
            ([0.1, 0.5], 0.75),  # unlocks two more, and more of the others
        ]:
            tell(teacher, task, score)
        expected = [[1.0, 0.4, 0.2], [0.4, 0.4, 0.2], [0.0, 0.0, 0.0]]
        np.testing.assert_allclose(teacher.weights.reshape(3, 3), expected)
        for _ in range(9):
            tell(teacher, [0.1, 0.1], 1.0)
        assert teacher.weights.max() == 1

    def test_starts_at_the_easy_end_or_where_it_is_told_to(self) -> None:
        space = TaskSpace([TaskParameter("height", 0, 3), TaskParameter("gap", 0, 6, easy="high")])
        tasks = GridLP(space, seed=0, rule="growth", bins=3).sample(200).tasks
        assert tasks[:, 0].max() <= 1.0
        assert tasks[:, 1].min() >= 4.0
        tasks = GridLP(space, seed=0, rule="growth", bins=3, initial={"gap": [1, 3.5]}).sample(200).tasks
        assert tasks[:, 0].max() <= 1.0
        assert tasks[:, 1].max() == pytest.approx(4.0, abs=0.1)


def test_growth_and_progress_reach_the_end_of_a_row_and_uniform_draws_do_not() -> None:
    """As in a replication on a quadruped with eight bins of speed: .06, .00 against .83, .70 for both."""
    for seed in range(2):
        rows = [ToyGrid(dims=1, cells=8) for _ in range(3)]
        space = rows[0].task_space
        assert competence(Random(space, seed), rows[0]) == [0.0, 0.0]
        assert competence(GridLP(space, seed, rule="progress", bins=8), rows[1]) == [1.0, 1.0]
        assert competence(GridLP(space, seed, rule="growth", bins=8), rows[2]) == [1.0, 1.0]


@pytest.mark.parametrize("rule", RULES)
class TestBothRules:
    def test_more_than_a_thousand_bins_are_bins_of_each_number(self, rule: Any) -> None:
        teacher = GridLP(cube(20), seed=0, rule=rule)
        assert teacher.weights.shape == (20, 10)
        run(teacher, 1000, lambda task: float(task[3] < 0.35))
        tasks = teacher.sample(1000).tasks
        assert ((tasks >= 0) & (tasks <= 1)).all()
        assert len(np.unique((tasks * 10).astype(int)[:, 0])) == 10

    def test_a_state_comes_back_bit_for_bit(self, rule: Any, tmp_path: Path) -> None:
        teacher = GridLP(cube(2), seed=0, rule=rule)
        run(teacher, 401)
        save_state(tmp_path / "state", teacher.state_dict())
        restored = GridLP(cube(2), seed=5, rule=rule)
        restored.load_state_dict(load_state(tmp_path / "state"))
        assert np.array_equal(run(teacher, 500), run(restored, 500))

    def test_focus_is_where_tasks_are_more_probable(self, rule: Any) -> None:
        teacher = GridLP(cube(2), seed=0, rule=rule)
        run(teacher, 900, lambda task: float(task.max() < 0.3))
        assert sum(box.weight for box in teacher.focus()) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rule": "decline"}, "rule='decline' must be 'progress' or 'growth'"),
        ({"bins": 0}, "bins=0 must be at least 1 and at most 1000"),
        ({"episodes_per_bin": 0}, "episodes_per_bin=0 must be at least 1"),
        ({"temperature": 0.0}, "temperature=0.0 must be at least 1e-06"),
        ({"random_ratio": -0.1}, r"random_ratio=-0.1 must lie in \[0, 1\]"),
        ({"initial": {"x0": [0.5, 2.0]}}, r"initial.x0=\[0.5, 2.0\] must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GridLP(cube(2), **arguments)


def test_a_state_with_other_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="bins=5 make 25 bins, which must be the stored state's 100"):
        GridLP(cube(2), bins=5).load_state_dict(GridLP(cube(2)).state_dict())

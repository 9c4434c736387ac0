from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chiron.runs.state_file import load_state, save_state
from chiron.teachers import GoalGAN, goal_gan
from chiron.teachers.goal_generator import GoalGenerator

from tests.teachers.spaces import cube, run


def tell(teacher: GoalGAN, score_of: Any, goals: int) -> None:
    """Play both rollouts of some goals, with the two rollouts of each goal far apart."""
    proposals = list(teacher.sample(2 * goals))
    for proposal in [*proposals[::2], *proposals[1::2]]:
        teacher.tell(proposal, score_of(proposal.task), mastered_score=0.5)


class TestGoals:
    def test_are_proposed_as_often_as_there_are_rollouts(self) -> None:
        one, many = (GoalGAN(cube(2), seed=0, rollouts=3) for _ in range(2))
        tasks = np.array([one.sample().task for _ in range(30)])
        goals = [one.sample().ticket["goal"] for _ in range(6)]
        assert len(np.unique(tasks, axis=0)) == 10
        assert goals == [10, 10, 10, 11, 11, 11]
        proposals = many.sample(32)
        assert proposals.tickets["goal"].tolist() == [i // 3 for i in range(32)]
        rest = many.sample(2)
        assert rest.tickets["goal"].tolist() == [10, 11]
        assert rest.tasks[0].tolist() == proposals.tasks[-1].tolist()

    def test_with_a_success_in_two_rollouts_are_good_and_with_two_are_stored(self) -> None:
        teacher = GoalGAN(cube(1), seed=0, replay_ratio=0.0, least_distance=0.0)
        proposals = list(teacher.sample(60))
        outcomes = [(0, 0), (0, 1), (1, 0), (1, 1)]
        for rollout in (0, 1):
            for goal in range(30):
                teacher.tell(proposals[2 * goal + rollout], outcomes[goal % 4][rollout], mastered_score=0.5)
        assert teacher.state_dict()["state"]["labels"] == [[0, 1, 1, 0][goal % 4] for goal in range(30)]
        solved = [proposals[2 * goal].task[0] for goal in range(30) if goal % 4 == 3]
        np.testing.assert_allclose(teacher.successes[:, 0], solved)

    def test_near_one_another_are_stored_once(self) -> None:
        teacher = GoalGAN(cube(1), seed=0, least_distance=0.1)
        tell(teacher, lambda task: 1.0, 99)
        distances = np.abs(teacher.successes - teacher.successes.T) + np.eye(len(teacher.successes))
        assert distances.min() > 0.1
        assert 5 <= len(teacher.successes) <= 10

    def test_of_the_buffer_are_replayed_once_with_noise(self) -> None:
        teacher = GoalGAN(cube(1), seed=0, least_distance=0.2, replay_ratio=0.5)
        tell(teacher, lambda task: 1.0, 20)
        proposals = teacher.sample(3000)
        is_replayed = np.array(proposals.sources) == "success"
        # Half of the decisions are replays, and a new goal takes two proposals.
        assert is_replayed.mean() == pytest.approx(1 / 3, abs=0.05)
        assert (proposals.tickets["goal"][is_replayed] == -1).all()
        offsets = np.abs(proposals.tasks[is_replayed] - teacher.successes[:, 0]).min(axis=1)
        assert offsets.max() < 0.05

    def test_start_where_they_are_told_to(self) -> None:
        teacher = GoalGAN(cube(2), seed=0, initial={"x0": {"mean": 0.2, "std": 0.05}})
        tasks = teacher.sample(500).tasks
        assert tasks[:, 0].mean() == pytest.approx(0.2, abs=0.02)
        assert tasks[:, 1].mean() == pytest.approx(0.5, abs=0.1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce training to a tenth of the iterations."""
    for name, iterations in (("_PRETRAINING", 50), ("_ITERATIONS", 25), ("_PER_EPISODE", 5)):
        monkeypatch.setattr(goal_gan, name, iterations)


class TestTraining:
    def test_the_generator_moves_to_good_points(self) -> None:
        rng = np.random.default_rng(0)
        generator = GoalGenerator(2, rng)
        points = rng.random((100, 2))
        labels = (np.linalg.norm(points - [0.8, 0.3], axis=1) < 0.25).astype(np.float64)
        before = np.linalg.norm(generator.draw(200, rng) - [0.8, 0.3], axis=1).mean()
        generator.fit(points, labels, 150, rng)
        after = np.linalg.norm(generator.draw(200, rng) - [0.8, 0.3], axis=1)
        assert after.mean() < 0.5 * before
        assert (after < 0.3).mean() > 0.6

    @pytest.mark.usefixtures("quick")
    def test_needs_a_good_goal_and_is_shared_by_many_episodes(self) -> None:
        teacher = GoalGAN(cube(1), seed=0, goals_per_fit=10, replay_ratio=0.0)
        tell(teacher, lambda task: 0.0, 10)
        assert teacher.fits == 0
        coin = np.random.default_rng(1)
        tell(teacher, lambda task: float(coin.random() < 0.5), 10)
        assert teacher.fits == 1
        assert [job[2] for job in teacher.state_dict()["state"]["jobs"]] == [45, 25]
        assert set(teacher.sample(10).sources) == {"initial"}
        run(teacher, 9, lambda task: 0.0)
        assert "goal" in teacher.sample(10).sources
        assert len(teacher.state_dict()["state"]["jobs"]) == 1

    @pytest.mark.usefixtures("quick")
    def test_a_state_comes_back_bit_for_bit_in_the_middle_of_it(self, tmp_path: Path) -> None:
        coin = np.random.default_rng(3)
        teacher = GoalGAN(cube(2), seed=0, goals_per_fit=10)
        tell(teacher, lambda task: float(coin.random() < task[0]), 15)
        save_state(tmp_path / "state", teacher.state_dict())
        restored = GoalGAN(cube(2), seed=5, goals_per_fit=10)
        restored.load_state_dict(load_state(tmp_path / "state"))
        played = []
        for one in (teacher, restored):
            coin = np.random.default_rng(4)
            played.append(run(one, 50, lambda task, coin=coin: float(coin.random() < task[0])))  # type: ignore[misc]
        assert np.array_equal(played[0], played[1])
        assert teacher.fits == 3
        assert restored.sample(20).tasks.tolist() == teacher.sample(20).tasks.tolist()

    def test_leaves_the_global_generator_of_torch_alone(self) -> None:
        before = torch.get_rng_state()
        rng = np.random.default_rng(0)
        GoalGenerator(2, rng).fit(rng.random((20, 2)), np.ones(20), 2, rng)
        assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"goals_per_fit": 9}, "goals_per_fit=9 must be at least 10"),
        ({"rollouts": 0}, "rollouts=0 must be at least 1 and at most 1000"),
        ({"lowest_success": 0.8}, "lowest_success=0.8 must be at least 0 and at most highest_success=0.75"),
        ({"replay_ratio": 1.2}, r"replay_ratio=1.2 must lie in \[0, 1\]"),
        ({"noise": -0.1}, r"noise=-0.1 must lie in \[0, 1\]"),
        ({"initial": {"x0": 2.0}}, r"initial.x0=2.0 must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GoalGAN(cube(2), **arguments)

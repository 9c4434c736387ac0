"""Requirements on every simulated student, found by listing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.conf.build import build
from chiron.runs.state_file import load_state, save_state
from chiron.students.simulated.competence_field import CompetenceField
from chiron.students.simulated.hindered_grid import HinderedGrid
from chiron.students.simulated.simulated_student import SimulatedStudent
from chiron.students.simulated.small_network import SmallNetwork
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.teachers import ALPGMM, Curriculum, Random
from chiron.teachers.episode import Episode
from chiron.teachers.proposal import Proposals

from tests.listing import composed, simulated_students

Make = Callable[..., SimulatedStudent]


@pytest.fixture(params=simulated_students())
def make(request: pytest.FixtureRequest) -> Make:
    return build(composed("env=simulated", f"student={request.param}")["student"])


def learn(student: SimulatedStudent, episodes: int, n_envs: int = 16) -> tuple[Curriculum, list[float]]:
    curriculum = Curriculum(Random(student.task_space, seed=1), student.info, seed=2)
    returns: list[float] = []
    curriculum.listeners.append(lambda episode: returns.append(episode.episode_return))
    student.learn(curriculum, episodes, n_envs=n_envs)
    return curriculum, returns


def test_the_same_seed_gives_the_same_student_and_another_seed_another_one(make: Make) -> None:
    (_, first), (_, again) = learn(make(seed=0), 200), learn(make(seed=0), 200)
    assert first == again
    assert make(seed=0).task_space.dim == make(seed=1).task_space.dim


def test_everything_it_tells_is_in_range(make: Make) -> None:
    student = make(seed=0)
    learn(student, 500)
    assert 0 <= student.mastered_percent <= 100
    assert student.competence_map.min() >= 0
    assert student.competence_map.max() <= 1
    low, high = student.return_range
    assert low <= student.return_mean <= high
    assert low < student.mastered_return < high


def test_a_stored_student_resumes_exactly_with_tasks_in_progress(make: Make, tmp_path: Path) -> None:
    whole, stopped, resumed = make(seed=3), make(seed=3), make(seed=4)
    _, expected = learn(whole, 900)
    curriculum, returns = learn(stopped, 600)
    save_state(tmp_path / "s", {"student": stopped.state_dict(), "curriculum": curriculum.state_dict()})
    state = load_state(tmp_path / "s")
    other = Curriculum(Random(resumed.task_space, seed=9), resumed.info, seed=9)
    other.load_state_dict(state["curriculum"])
    resumed.load_state_dict(state["student"])
    other.listeners.append(lambda episode: returns.append(episode.episode_return))
    resumed.learn(other, 900, n_envs=16)
    assert returns == expected
    assert resumed.mastered_percent == whole.mastered_percent
    assert np.array_equal(resumed.competence_map, whole.competence_map)


class Watched(Random):
    """Records when it is asked, and which slot's result it is told."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.heard: list[str | int] = []

    def _propose(self, n: int) -> Proposals:
        self.heard.append("ask")
        return super()._propose(n)

    def observe(self, episode: Episode) -> None:
        self.heard.append(episode.slot)


def test_tasks_in_progress_are_proposed_before_earlier_results_are_known() -> None:
    grid = ToyGrid(seed=0)
    teacher = Watched(grid.task_space, seed=0)
    grid.learn(Curriculum(teacher, grid.info, seed=0), 4, n_envs=3)
    assert teacher.heard == ["ask", "ask", "ask", 0, "ask", 1, "ask", 2, "ask", 0]


class TestHinderedGrid:
    def test_without_a_hindrance_it_is_the_toy_grid(self) -> None:
        plain, hindered = ToyGrid(return_noise=0.1, seed=5), HinderedGrid(return_noise=0.1, seed=5)
        assert learn(plain, 3000)[1] == learn(hindered, 3000)[1]
        assert np.array_equal(plain.competence, hindered.competence)
        assert plain.return_mean == pytest.approx(hindered.return_mean)

    def test_unlearnable_cells_are_the_farthest_and_are_not_counted(self) -> None:
        grid = HinderedGrid(unlearnable=0.3, unlearnable_returns=[0.5], cells=4, seed=0)
        assert grid.is_learnable.sum() == 16 - 4
        far = np.indices((4, 4)).sum(axis=0)
        assert far[~grid.is_learnable].min() >= far[grid.is_learnable].max()
        for cell in np.argwhere(grid.is_learnable):
            for _ in range(100):
                grid.play(((cell + 0.5) / 4).astype(np.float32))
        assert grid.mastered_percent == 100
        assert grid.play(np.array([0.9, 0.9], np.float32)) == 0.5
        assert grid.competence[grid.cell_of(np.array([0.9, 0.9], np.float32))] == 0
        assert grid.return_mean == pytest.approx((12 + 4 * 0.5) / 16)

    def test_coin_flips_are_fair(self) -> None:
        grid = HinderedGrid(unlearnable=0.3, unlearnable_returns=[0.0, 1.0], seed=0)
        flips = [grid.play(np.array([0.95, 0.95], np.float32)) for _ in range(2000)]
        assert set(flips) == {0.0, 1.0}
        assert np.mean(flips) == pytest.approx(0.5, abs=0.05)

    def test_binary_returns_have_the_competence_as_their_mean(self) -> None:
        grid = HinderedGrid(binary_returns=True, seed=0)
        grid.competence[0, 0] = 60
        corner = np.zeros(2, np.float32)
        returns = []
        for _ in range(3000):
            returns.append(grid.play(corner))
            grid.competence[0, 0] = 60
        assert set(returns) == {0.0, 1.0}
        assert np.mean(returns) == pytest.approx(0.61, abs=0.03)

    def test_forgetting_closes_what_was_open(self) -> None:
        grid = HinderedGrid(forget_at=101, seed=0)
        corner, beside = np.zeros(2, np.float32), np.full(2, 0.15, np.float32)
        for _ in range(100):
            grid.play(corner)
        assert grid.mastered_percent == 1
        grid.play(beside)
        assert grid.competence.sum() == 0
        grid.play(beside)
        assert grid.competence.sum() == 0
        assert grid.play(corner) == 0.01

    def test_decay_costs_competence_of_any_cell(self) -> None:
        grid = HinderedGrid(decay=1.0, cells=2, unlearnable=0.25, seed=0)
        grid.competence[:] = 50
        for _ in range(40):
            grid.play(np.array([0.9, 0.9], np.float32))
        assert grid.competence.sum() == 4 * 50 - 40
        assert (grid.competence < 50).all()


class TestToyGridOptions:
    def test_the_first_parameter_may_have_another_unit(self) -> None:
        plain, scaled = ToyGrid(seed=0), ToyGrid(first_range=1000.0, seed=0)
        assert scaled.task_space.high.tolist() == [1000.0, 1.0]
        assert scaled.cell_of(np.array([950.0, 0.05], np.float32)) == plain.cell_of(
            np.array([0.95, 0.05], np.float32)
        )

    def test_further_starts_are_open_from_the_beginning(self) -> None:
        grid = ToyGrid(starts=5, seed=0)
        centres = (np.indices((10, 10)).reshape(2, -1).T + 0.5) / 10
        opened = [centre for centre in centres.astype(np.float32) if grid.play(centre) > 0]
        assert len(opened) == 5
        assert opened[0].tolist() == pytest.approx([0.05, 0.05])

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"starts": 0}, "starts=0"),
            ({"cells": 2, "starts": 5}, "starts=5"),
            ({"first_range": 0.0}, "first_range=0.0"),
            ({"unlearnable": 1.0}, "unlearnable=1.0"),
            ({"unlearnable_returns": [2.0]}, "unlearnable_returns"),
            ({"decay": 2.0}, "decay=2.0"),
            ({"forget_at": 0}, "forget_at=0"),
        ],
    )
    def test_bad_arguments_are_named(self, arguments: dict[str, Any], named: str) -> None:
        with pytest.raises(ValueError, match=named):
            HinderedGrid(**arguments)


class TestCompetenceField:
    def test_practice_helps_nearby_and_fades_elsewhere(self) -> None:
        field = CompetenceField(starts=1, return_noise=0.0, forgetting=0.01, seed=0)
        before = field.competence.copy()
        able = np.unravel_index(before.argmax(), before.shape)
        task = ((np.array(able) + 0.5) / 25).astype(np.float32)
        assert field.play(task) == pytest.approx(0.5)
        changed = field.competence - before
        # c + rate c k (1 - c) with k = 1: 0.5 + 0.15 * 0.5 * 0.5.
        assert changed[able] == pytest.approx(0.0375)
        far = np.unravel_index(np.abs(np.indices(before.shape).T - able).sum(axis=2).T.argmax(), before.shape)
        assert field.competence[far] == pytest.approx(0.99 * before[far])

    @pytest.mark.parametrize(
        "arguments", [{"dims": 4}, {"rate": 2.0}, {"reach": 0.0}, {"starts": 0}, {"return_noise": -1.0}]
    )
    def test_bad_arguments_are_named(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            CompetenceField(**arguments)


class TestSmallNetwork:
    def test_expected_returns_are_the_means_of_returns(self) -> None:
        task = np.array([0.02, 0.3], np.float32)
        network = SmallNetwork(rate=1e-12, seed=0)
        expected = network._expected_returns(task[None].astype(np.float64))[0]
        assert np.mean([network.play(task) for _ in range(2000)]) == pytest.approx(expected, abs=0.01)

    def test_its_step_is_the_gradient_of_the_expected_return(self) -> None:
        task = np.array([0.05, 0.3], np.float32)
        ascended = np.zeros(())
        for seed in range(40):
            network = SmallNetwork(rate=0.02, seed=0)
            network._rng = np.random.default_rng(seed)
            before = network._expected_returns(task[None].astype(np.float64))[0]
            network.play(task)
            ascended = ascended + network._expected_returns(task[None].astype(np.float64))[0] - before
        assert ascended > 0

    def test_near_targets_are_learned_and_far_ones_show_nothing(self) -> None:
        network = SmallNetwork(seed=0)
        near, far = np.array([0.05, 0.3], np.float32), np.array([1.0, 0.3], np.float32)
        assert max(network.play(far) for _ in range(200)) < 1e-6
        for _ in range(500):
            network.play(near)
        assert network._expected_returns(near[None].astype(np.float64))[0] > network.mastered_return

    def test_a_rate_of_zero_is_refused(self) -> None:
        with pytest.raises(ValueError, match="rate=0"):
            SmallNetwork(rate=0.0)


def test_alp_gmm_is_above_random_on_the_grid() -> None:
    def end(teacher: type[ALPGMM] | type[Random]) -> float:
        grid = ToyGrid(seed=0)
        grid.learn(Curriculum(teacher(grid.task_space, seed=0), grid.info, seed=0), 4000, n_envs=16)
        return grid.mastered_percent

    assert end(ALPGMM) > end(Random)

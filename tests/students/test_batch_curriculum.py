from __future__ import annotations

from typing import Any

import chiron
import numpy as np
import pytest
import torch
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.students import BatchCurriculum, NotFiniteError
from chiron.teachers import ALPGMM, PLR, Curriculum, Teacher
from torch import Tensor

from tests.gpu import DEVICES
from tests.students.probes import Diary

ENVS = 64
SPACE = TaskSpace([TaskParameter("slope", 0, 30), TaskParameter("stairs", 0, 9, integer=True)])


def build(teacher: type[Teacher] = Diary, device: str = "cpu", **arguments: Any) -> BatchCurriculum:
    info = EnvInfo(SPACE, (0.0, 100.0), 50.0)
    curriculum = Curriculum(teacher(SPACE, seed=0, **arguments), info, seed=0)
    return BatchCurriculum(curriculum, ENVS, device)


def worth_of(tasks: Tensor) -> Tensor:
    """A return that identifies its task."""
    return tasks[:, 0].double() + 100 * tasks[:, 1]


def some_ids(rng: np.random.Generator, device: str) -> Tensor:
    return torch.from_numpy(rng.permutation(ENVS)[: rng.integers(1, ENVS)]).to(device)


class TestCredit:
    @pytest.mark.parametrize("device", DEVICES)
    def test_every_result_is_credited_to_the_task_that_was_asked_for(self, device: str) -> None:
        batch, rng = build(device=device), np.random.default_rng(0)
        batch.ask()
        told = 0
        for _ in range(50):
            ids = some_ids(rng, device)
            batch.tell(ids, worth_of(batch.tasks[ids]), batch.tasks[ids, 1] > 4, ids + 1)
            tasks = batch.ask(ids)
            assert tasks.dtype == torch.float32
            assert tasks.device.type == device
            assert torch.equal(tasks, batch.tasks[ids])
            told += len(ids)
        results = batch.curriculum.teacher.results  # type: ignore[attr-defined]
        assert len(results) == told == batch.curriculum.episodes
        for result in results:
            assert result.episode_return == pytest.approx(result.task[0] + 100 * result.task[1])
            assert result.success == (result.task[1] > 4)
            assert result.length == result.slot + 1
        assert results[-1].step == batch.steps == sum(result.length for result in results)

    def test_tasks_are_what_is_played(self) -> None:
        tasks = build().ask()
        assert tasks.shape == (ENVS, 2)
        assert torch.equal(tasks[:, 1], tasks[:, 1].round())
        assert all(SPACE.contains(task) for task in tasks.numpy())

    def test_views_of_a_column_change_with_the_tasks(self) -> None:
        batch = build()
        stairs = batch.column("stairs")
        batch.ask([3, 5])
        assert torch.equal(stairs, batch.tasks[:, 1])

    def test_a_teacher_learns_the_same_as_when_it_is_told_one_by_one(self) -> None:
        batch, alone = build(ALPGMM, fit_rate=50), ALPGMM(SPACE, seed=0, fit_rate=50)
        alone.scales_returns = False
        for _ in range(4):
            proposals = alone.sample(ENVS)
            tasks = batch.ask()
            np.testing.assert_array_equal(tasks, SPACE.rounded(proposals.tasks))
            returns = worth_of(tasks) / 10
            batch.tell(None, returns)
            for proposal, score in zip(proposals, (returns / 100).clip(0, 1).tolist(), strict=True):
                alone.tell(proposal, score)
        assert alone.gaussians is not None
        np.testing.assert_array_equal(batch.curriculum.teacher.gaussians.means, alone.gaussians.means)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("device", DEVICES)
    def test_resumes_exactly(self, device: str) -> None:
        batch, again = (build(ALPGMM, device, fit_rate=50) for _ in range(2))
        rng = np.random.default_rng(1)
        batch.ask()
        for _ in range(5):
            ids = some_ids(rng, device)
            batch.tell(ids, worth_of(batch.tasks[ids]))
            batch.ask(ids)
        again.load_state_dict(batch.state_dict())
        assert torch.equal(again.tasks, batch.tasks)
        for one in (batch, again):
            one.tell(None, worth_of(one.tasks))
        assert torch.equal(again.ask(), batch.ask())
        assert again.steps == batch.steps

    def test_no_envs_are_nothing_to_do(self) -> None:
        batch = build()
        nobody = torch.empty(0, dtype=torch.int64)
        batch.tell(nobody, torch.empty(0))
        assert batch.ask(nobody).shape == (0, 2)
        assert batch.curriculum.teacher.events == []  # type: ignore[attr-defined]


class TestWrongUse:
    @pytest.mark.parametrize(
        ("ids", "message"),
        [
            ([3, ENVS], r"env_ids has 64, but must lie in \[0, 63\]"),
            ([-1], r"env_ids has -1"),
            ([7, 3, 7], "env_ids has 7 twice"),
            (torch.ones(ENVS, dtype=torch.bool), r"integers of shape \(m,\), got torch.bool .*nonzero"),
            (torch.zeros(2, 2, dtype=torch.int64), r"got torch.int64 of shape \(2, 2\)"),
            (torch.zeros(2, dtype=torch.int64, device="meta"), "env_ids is on meta, but .* are on cpu: make"),
        ],
    )
    def test_ids(self, ids: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            build().ask(ids)

    @pytest.mark.parametrize(
        ("returns", "message"),
        [
            (torch.zeros(3), r"returns must be a tensor of shape \(2,\), one per env, got \(3,\)"),
            ([0.0, 1.0], r"returns must be a tensor .* got list"),
            (torch.zeros(2, device="meta"), r"returns is on meta, .*BatchCurriculum\(…, device='meta'\)"),
        ],
    )
    def test_returns(self, returns: Any, message: str) -> None:
        batch = build()
        batch.ask()
        with pytest.raises(ValueError, match=message):
            batch.tell([0, 1], returns)

    def test_a_return_that_is_not_finite_credits_nothing(self) -> None:
        batch = build()
        batch.ask()
        with pytest.raises(NotFiniteError, match=r"return of env 9 in task \(slope=.*stairs=\d\)"):
            batch.tell([4, 9], torch.tensor([1.0, float("nan")]))
        assert batch.curriculum.episodes == 0

    def test_a_result_without_a_task(self) -> None:
        batch = build()
        batch.ask([0])
        with pytest.raises(ValueError, match="env 1 has no task to tell a result of: ask for one first"):
            batch.tell([0, 1], torch.zeros(2))

    def test_a_teacher_that_needs_success(self) -> None:
        class Judge(Diary):
            needs = frozenset({"success"})

        batch = build(Judge)
        batch.ask()
        with pytest.raises(ValueError, match="Judge needs success, a tensor of bool"):
            batch.tell([0], torch.zeros(1))

    def test_a_teacher_that_needs_a_critic(self) -> None:
        with pytest.raises(ValueError, match=r"needs a student with a critic .*which a batch of envs is not"):
            build(PLR)

    def test_tasks_of_another_space(self) -> None:
        other = TaskSpace([TaskParameter("height", 0, 1)])
        with pytest.raises(ValueError, match=r"proposes \['height'\], the curriculum is over \['slope'"):
            Curriculum(ALPGMM(other), EnvInfo(SPACE))
        with pytest.raises(ValueError, match="'height' must be one of the tasks' columns"):
            build().column("height")

    def test_no_envs(self) -> None:
        with pytest.raises(ValueError, match="num_envs=0 must be at least 1"):
            BatchCurriculum(Curriculum(Diary(SPACE, 0), EnvInfo(SPACE)), 0)


def test_is_exported() -> None:
    assert chiron.BatchCurriculum is BatchCurriculum

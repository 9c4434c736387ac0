from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from chiron.teachers import SetterSolver, setter_networks
from chiron.teachers.setter_networks import Setter, SetterNetworks

from tests.teachers.spaces import cube, result, run


def setter(dim: int) -> Setter:
    return Setter(dim, 16, torch.Generator().manual_seed(0)).double()


class TestFlow:
    @pytest.mark.parametrize("dim", [1, 2, 5])
    def test_the_density_is_that_of_the_noise_over_the_change_of_volume(self, dim: int) -> None:
        flow = setter(dim)
        noise = torch.randn(1, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        condition = torch.full((1, 1), 0.3, dtype=torch.float64)
        noise.requires_grad_()
        tasks, density = flow(noise, condition)
        rows = [torch.autograd.grad(task, noise, retain_graph=True)[0][0] for task in tasks[0]]
        jacobian = torch.stack(rows)
        gaussian = -0.5 * (noise**2 + np.log(2 * np.pi)).sum()
        expected = gaussian - torch.linalg.slogdet(jacobian)[1]
        assert density.item() == pytest.approx(expected.item(), abs=1e-8)
        assert flow.log_density(tasks, condition).item() == pytest.approx(expected.item(), abs=1e-6)

    def test_depends_on_the_condition(self) -> None:
        flow, noise = setter(2), torch.zeros(2, 2, dtype=torch.float64)
        one, other = flow(noise, torch.tensor([[0.1], [0.9]], dtype=torch.float64))[0].tolist()
        assert one != other


class TestTraining:
    @pytest.mark.slow
    def test_sets_tasks_of_the_wished_feasibility(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The student solves a task with probability 1 − x."""
        monkeypatch.setattr(setter_networks, "_LEARNING_RATE", 2e-3)
        rng = np.random.default_rng(0)
        networks = SetterNetworks(2, 8, rng)

        def noise(n: int) -> tuple[Any, Any]:
            return rng.standard_normal((n, 2)), rng.uniform(1e-8, 1 - 1e-6, n)

        for _ in range(120):
            places, wished = noise(100)
            tasks = networks.draw(places, wished)
            solved = (rng.random(100) < 1 - tasks[:, 0]).astype(np.float64)
            networks.fit(tasks, solved, wished, (0.05 * rng.random((100, 2)), *noise(100)))
        hard, middling, easy = (
            float(networks.draw(noise(500)[0], np.full(500, wish))[:, 0].mean()) for wish in (0.1, 0.5, 0.9)
        )
        assert hard > 0.6
        assert middling == pytest.approx(0.5, abs=0.15)
        assert easy < 0.35
        # Coverage: the second number does not matter, so it spreads over its range (sd 0.29 if uniform).
        assert networks.draw(*noise(500))[:, 1].std() > 0.2

    def test_is_made_of_the_episodes_since_the_last_update(self) -> None:
        teacher = SetterSolver(cube(2), seed=0, episodes_per_update=10, hidden=8)
        proposals = teacher.sample(12)
        for proposal in proposals:
            teacher.observe(result([0.5, 0.5], 1.0))
            teacher.tell(proposal, float(proposal.task[0] > 0), mastered_score=0.5)
        assert teacher.metrics() == {"updates": 1, "success": 1.0}
        wished = teacher.state_dict()["state"]["wished"]
        assert wished == proposals.tickets["feasibility"][10:].tolist()

    def test_tasks_drawn_before_an_update_are_not_proposed_after_it(self) -> None:
        teacher = SetterSolver(cube(2), seed=0, episodes_per_update=10, hidden=8)
        first = teacher.sample(4)
        drawn = teacher.state_dict()["state"]["drawn"]
        assert len(drawn) == 6
        for _ in range(3):
            for proposal in first:
                teacher.tell(proposal, 1.0, mastered_score=0.5)
        assert teacher.updates == 1
        assert not np.isin(teacher.sample(6).tickets["feasibility"], drawn[:, -1]).any()

    def test_leaves_the_global_generator_of_torch_alone(self) -> None:
        before = torch.get_rng_state()
        run(SetterSolver(cube(2), seed=0, episodes_per_update=10, hidden=8), 20)
        assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"episodes_per_update": 0}, "episodes_per_update=0 must be at least 1 and at most 10000"),
        ({"noise": 1.5}, r"noise=1.5 must lie in \[0, 1\]"),
        ({"hidden": 10_000}, "hidden=10000 must be at least 1 and at most 4096"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SetterSolver(cube(2), **arguments)


def test_a_state_of_other_networks_is_refused() -> None:
    state = SetterSolver(cube(2), hidden=8).state_dict()
    with pytest.raises(ValueError, match="hidden=16 must be the stored state's 8"):
        SetterSolver(cube(2), hidden=16).load_state_dict(state)

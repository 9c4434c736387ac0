from __future__ import annotations

import copy

import pytest
import torch
from chiron.students.fast.piecewise_adam import PiecewiseAdam, lerp_in_pieces


@pytest.mark.parametrize("amsgrad", [False, True])
def test_steps_in_pieces_are_the_optimizers(amsgrad: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(60, 100), torch.nn.Linear(100, 1))
    twin = copy.deepcopy(network)
    adams = [
        torch.optim.Adam(each.parameters(), 1e-2, fused=True, weight_decay=0.1, amsgrad=amsgrad)
        for each in (network, twin)
    ]
    in_pieces = PiecewiseAdam(adams[0])
    monkeypatch.setattr("chiron.students.fast.piecewise_adam._PIECE", 1000)
    for step in range(5):
        for one, other in zip(network.parameters(), twin.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        # On a CPU, `step` would let the optimizer make the step, as it does everywhere for the first.
        in_pieces.step() if step == 0 else in_pieces._step_group(adams[0].param_groups[0])
        adams[1].step()
    torch.testing.assert_close(list(network.parameters()), list(twin.parameters()))
    state = [[s["step"] for s in adam.state.values()] for adam in adams]
    assert state[0] == state[1]


def test_targets_follow() -> None:
    following, moving = [torch.zeros(3, 2), torch.zeros(4)], [torch.ones(3, 2), torch.ones(4)]
    lerp_in_pieces(following, moving, 0.25)
    assert [part.flatten().tolist() for part in following] == [[0.25] * 6, [0.25] * 4]
